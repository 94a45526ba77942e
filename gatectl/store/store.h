// The authoritative tables: keys, their agents, what was done by whom. SQLite by SOCI; every statement of SQL
// in the program is in store.cpp. Throws Problem (unavailable: locked, damaged, of another version; io).
#pragma once

#include "lib/keyring/record.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace soci {
class session;
}

namespace gate::ctl {

struct StoredKey {
    std::string id;
    std::string fingerprint; // "SHA256:..."
    std::string type;
    std::string blob; // base64, as in a .pub file
    std::string note;
    std::vector<std::string> agents; // as they were given; none: an unbound key
    std::string binding;             // "enforce", "observe", "off"; empty: the policy's
    std::int64_t added_at = 0;       // seconds since the epoch, as all times here
    std::string added_by;
    std::int64_t revoked_at = 0; // 0: active
    std::string revoked_by;
    std::string revoke_reason;

    [[nodiscard]] bool revoked() const { return revoked_at != 0; }
    bool operator==(const StoredKey&) const = default;
};

struct HistoryEntry {
    std::int64_t at = 0;
    std::string operator_name;
    std::string action; // "add", "bind", "revoke", "adopt"
    std::string key_id;
    std::string detail;

    bool operator==(const HistoryEntry&) const = default;
};

class Store {
  public:
    // Opens it, and makes file and tables where there are none. Another program's lock is waited for
    // `patience` seconds.
    Store(const std::string& path, uid_t owner, int patience);
    ~Store();
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    // Everything below belongs inside one of these. Two writers exclude each other from the beginning
    // (BEGIN IMMEDIATE), so what one has read stays true until it commits. Rolls back unless committed.
    class Transaction {
      public:
        enum class Kind : std::uint8_t { read, write };
        Transaction(Store& store, Kind kind);
        ~Transaction();
        Transaction(const Transaction&) = delete;
        Transaction& operator=(const Transaction&) = delete;
        void commit();

      private:
        Store& store_;
        bool open_ = true;
    };

    [[nodiscard]] std::uint64_t generation(); // of the last publish; 0 before the first
    void set_generation(std::uint64_t generation);

    [[nodiscard]] std::vector<StoredKey> keys(); // in the order of their ids
    [[nodiscard]] std::optional<StoredKey> find_fingerprint(const std::string& fingerprint);
    [[nodiscard]] std::optional<StoredKey> find_id(const std::string& id);
    void insert(const StoredKey& key);
    // Agents behind those that it has, and its binding.
    void bind(const std::string& id, const std::vector<std::string>& more, const std::string& binding);
    void revoke(const std::string& id, std::int64_t at, const std::string& by, const std::string& reason);

    void remember(const HistoryEntry& entry);
    [[nodiscard]] std::vector<HistoryEntry> history(const std::string& key_id); // oldest first

  private:
    void create_or_check();
    [[nodiscard]] long long schema_version();
    void upgrade();
    void insert_agents(const std::string& id, long long position, const std::vector<std::string>& names);
    [[nodiscard]] std::vector<std::string> agents_of(const std::string& id);
    [[nodiscard]] std::optional<StoredKey> find(const char* column, const std::string& value);

    std::string path_;
    std::unique_ptr<soci::session> sql_;
};

} // namespace gate::ctl
