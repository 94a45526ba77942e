// Rows of pubkey and history as objects: prepared once, used for many.
#pragma once

#include "gatectl/store/engine.h"
#include "gatectl/store/store.h"

#include <string>

namespace gate::ctl {

// A row's columns as SOCI binds them, and the key that they are.
struct KeyRow {
    engine::Number number = 0;
    std::string agents, sources, state;
    engine::Number not_before = 0, expires_at = 0;
    engine::Number quota_files = 0, quota_bytes = 0, max_file_size = 0;
    engine::Number added_at = 0, state_at = 0, removed_at = 0;
    StoredKey key; // the texts are bound in place

    void read();  // from the columns into the key
    void write(); // the other way
};

// Inserts keys with their numbers.
class KeyInserter {
  public:
    enum class Kind : std::uint8_t {
        any,
        imported, // active, without limits and beginning: fewer columns to bind, for a million of them
    };
    KeyInserter(soci::session& sql, Kind kind);
    void insert(const StoredKey& key);

  private:
    KeyRow row_;
    soci::statement statement_;
};

// A cursor over keys. `rest` is what stands behind FROM pubkey; `value`, if any, is bound to its :value.
class KeyCursor {
  public:
    KeyCursor(soci::session& sql, const std::string& rest, const std::string* value = nullptr);
    // nullptr at the end. The key is the caller's to move from, until the next call.
    [[nodiscard]] StoredKey* next();

  private:
    KeyRow row_;
    soci::statement statement_;
};

// All keys that are not removed, in the order in which they were added, for the keyring.
class LoginCursor {
  public:
    explicit LoginCursor(soci::session& sql);
    [[nodiscard]] bool next(LoginRow& row);

  private:
    engine::Rows rows_;
};

void update_key(soci::session& sql, const StoredKey& key);
void insert_history(soci::session& sql, std::int64_t seq, std::int64_t first, std::int64_t last,
                    const HistoryEntry& entry);

} // namespace gate::ctl
