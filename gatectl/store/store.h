// The authoritative tables: keys, and what was done with them by whom. SQLite by SOCI; every statement of SQL
// in the program is in this folder, and kept to what PostgreSQL and MySQL share, but for what engine.h names.
// Throws Problem (unavailable: locked, damaged, of another version; io).
#pragma once

#include "gatectl/store/enrolment.h"
#include "gatectl/store/key.h"
#include "gatectl/store/login_row.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace soci {
class session;
}

namespace gate::ctl {

class Store {
  public:
    // Opens it, and makes file and tables where there are none; tables of an earlier version are brought up.
    // Another program's lock is waited for `patience` seconds.
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

    // What was published last: its generation (0: nothing yet) and which file it was.
    struct Publication {
        std::uint64_t generation = 0;
        std::string mark; // keyring::Reader::mark()
    };
    [[nodiscard]] Publication published();
    void set_published(const Publication& publication);

    // Keys that were removed are found by these three and by each_revoked() only.
    [[nodiscard]] std::optional<StoredKey> find_fingerprint(const std::string& fingerprint);
    [[nodiscard]] std::optional<StoredKey> find_id(const std::string& id);
    [[nodiscard]] std::optional<StoredKey> find_number(std::int64_t number);

    // The key whose id or fingerprint this is; otherwise those that begin with it, at most `most`, by id.
    [[nodiscard]] std::vector<StoredKey> find_named(const std::string& name, std::size_t most);
    // How many keys have an id or fingerprint that begins so.
    [[nodiscard]] std::uint64_t count_named(const std::string& beginning);
    [[nodiscard]] std::uint64_t count(); // removed ones included

    // All keys that are not removed, in the order in which they were added. What the callback gets is its own
    // to move from.
    void each(const std::function<void(StoredKey&)>& visit);
    // The same, what the keyring needs of them and faster: each is written to where room() says, then
    // filled() is called.
    void each_login(const std::function<LoginRow&()>& room, const std::function<void()>& filled);
    // The revoked ones, removed or not.
    void each_revoked(const std::function<void(StoredKey&)>& visit);
    [[nodiscard]] std::vector<StoredKey> keys(); // those that are not removed, in the order of their ids
    // All columns, and the keys that were removed too.
    void each_also_removed(const std::function<void(StoredKey&)>& visit);
    // What was done after a time, oldest first, with the numbers of the first and last key that it was done
    // to.
    using Past = std::function<void(std::int64_t first, std::int64_t last, const HistoryEntry& entry)>;
    void each_change_after(std::int64_t at, const Past& visit);

    // Every key, removed ones included, in no order.
    struct Name {
        std::string id, fingerprint;
        bool revoked = false, removed = false;
    };
    void each_name(const std::function<void(const Name&)>& visit);

    // Each writes its line of the history. `key` gets its number.
    void insert(StoredKey& key, const Note& note);
    void update(const StoredKey& before, const StoredKey& after, const Note& note);

    // Many keys at once: one line of history for all, written by finish(). With `rebuild` the indexes are
    // made anew at the end, which pays when there are more new keys than old ones; who inserts must know then
    // that neither id nor fingerprint is in the store.
    class Bulk {
      public:
        Bulk(Store& store, bool rebuild);
        ~Bulk();
        Bulk(const Bulk&) = delete;
        Bulk& operator=(const Bulk&) = delete;
        void insert(StoredKey& key);
        void finish(const Note& note);

      private:
        struct Inserter;
        Store& store_;
        bool rebuild_;
        std::int64_t first_ = 0;
        std::int64_t next_ = 0;
        std::unique_ptr<Inserter> inserter_;
    };

    // Numbers of the keys that this object has inserted or updated, and whether Bulk was used: then all may
    // be new.
    [[nodiscard]] const std::vector<std::int64_t>& touched() const { return touched_; }
    [[nodiscard]] bool touched_many() const { return touched_many_; }

    [[nodiscard]] std::vector<HistoryEntry> history(const StoredKey& key); // oldest first

    // Enrolment (enrolment.cpp). None of it is part of the keyring, or of the history of a key.
    [[nodiscard]] Enrolment enrolment();
    void set_enrolment(const Enrolment& enrolment);
    void insert_code(const StoredCode& code);
    void update_code(const StoredCode& code); // its state, and which key it was used for
    void forget_codes(std::int64_t before);   // those that had expired then
    [[nodiscard]] std::vector<StoredCode> codes();
    void insert_pending(const PendingKey& key);
    void remove_pending(const std::string& fingerprint);
    [[nodiscard]] std::vector<PendingKey> pending(); // oldest first

    // A consistent copy of the whole, whatever others do meanwhile. The file must not exist.
    void copy_to(const std::string& path);

    // Reads all of it; throws Problem (unavailable) if the engine finds it damaged.
    void check();

    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    void remember(std::int64_t first, std::int64_t last, const Note& note, const Difference& difference);
    [[nodiscard]] std::int64_t next_number();
    [[nodiscard]] std::optional<StoredKey> find(const char* column, const std::string& value);
    [[nodiscard]] std::vector<StoredKey> select(const std::string& where, const std::string& value);
    void check_same_file();

    std::string path_;
    ino_t inode_ = 0;
    std::unique_ptr<soci::session> sql_;
    std::vector<std::int64_t> touched_;
    bool touched_many_ = false;
};

} // namespace gate::ctl
