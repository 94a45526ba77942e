#include "gatectl/store/store.h"

#include "gatectl/problem.h"
#include "gatectl/store/engine.h"
#include "gatectl/store/location.h"
#include "gatectl/store/rows.h"
#include "gatectl/store/schema.h"
#include "lib/base/text.h"

#include <algorithm>
#include <sys/stat.h>

namespace gate::ctl {

using engine::guarded;
using engine::Number;

namespace {

// Behind every text that begins with `beginning`, in the order of bytes.
[[nodiscard]] std::string end_of(const std::string& beginning) {
    return beginning + '\x7f'; // ids and fingerprints are printable ASCII
}

[[nodiscard]] ino_t inode_of(const std::string& path) {
    struct stat st {};
    return ::stat(path.c_str(), &st) == 0 ? st.st_ino : 0;
}

} // namespace

Store::Store(const std::string& path, uid_t owner, int patience) : path_(prepare_store(path, owner)) {
    guarded(path_, [&] {
        inode_ = inode_of(path_);
        sql_ = engine::open(path_, patience);
        if (!engine::has_tables(*sql_)) {
            Transaction transaction(*this, Transaction::Kind::write);
            if (!engine::has_tables(*sql_)) // nobody was quicker
                schema::create(*sql_);
            transaction.commit();
        }
        if (!engine::has_table(*sql_, "gate_store"))
            stop(Status::unavailable, "{} is a database, but not a store of pandora-gate",
                 escape_visible(path_));
        if (schema::version(*sql_) < schema::k_version) {
            Transaction transaction(*this, Transaction::Kind::write);
            schema::upgrade(*sql_);
            transaction.commit();
        }
        if (const int version = schema::version(*sql_); version != schema::k_version)
            stop(Status::unavailable,
                 "the store {} has version {}, this program knows version {}: install the pandora-gate that "
                 "wrote it",
                 escape_visible(path_), version, schema::k_version);
    });
}

Store::~Store() = default;

Store::Transaction::Transaction(Store& store, Kind kind) : store_(store) {
    guarded(store_.path_, [&] {
        if (kind == Kind::write)
            engine::begin_write(*store_.sql_);
        else
            *store_.sql_ << "BEGIN";
    });
    try {
        store_.check_same_file();
    } catch (...) {
        *store_.sql_ << "ROLLBACK";
        throw;
    }
}

Store::Transaction::~Transaction() {
    if (!open_)
        return;
    try {
        *store_.sql_ << "ROLLBACK";
    } catch (
        const std::exception&) { // the engine has rolled back by itself, or will when the file is next opened
    }
}

void Store::Transaction::commit() {
    guarded(store_.path_, [&] { *store_.sql_ << "COMMIT"; });
    open_ = false;
}

// A file that was renamed over the one that is open (a restore) would never see this change.
void Store::check_same_file() {
    if (inode_of(path_) != inode_)
        stop(Status::unavailable, "the store {} was replaced at this moment: run the command again",
             escape_visible(path_));
}

Store::Publication Store::published() {
    return guarded(path_, [&] {
        Number generation = 0;
        Publication out;
        *sql_ << "SELECT generation, keyring FROM gate_store WHERE one = 1", soci::into(generation),
            soci::into(out.mark);
        out.generation = static_cast<std::uint64_t>(generation);
        return out;
    });
}

void Store::set_published(const Publication& publication) {
    guarded(path_, [&] {
        const auto generation = static_cast<Number>(publication.generation);
        *sql_ << "UPDATE gate_store SET generation = :g, keyring = :k WHERE one = 1", soci::use(generation),
            soci::use(publication.mark);
    });
}

std::vector<StoredKey> Store::select(const std::string& where, const std::string& value) {
    return guarded(path_, [&] {
        std::vector<StoredKey> out;
        KeyCursor cursor(*sql_, where, &value);
        while (StoredKey* key = cursor.next())
            out.push_back(std::move(*key));
        return out;
    });
}

std::optional<StoredKey> Store::find(const char* column, const std::string& value) {
    auto found = select(std::string("WHERE ") + column + " = :value", value);
    if (found.empty())
        return std::nullopt;
    return std::move(found.front());
}

std::optional<StoredKey> Store::find_fingerprint(const std::string& fingerprint) {
    return find("fingerprint", fingerprint);
}

std::optional<StoredKey> Store::find_id(const std::string& id) {
    return find("id", id);
}

std::optional<StoredKey> Store::find_number(std::int64_t number) {
    // A number, not a stranger's text; SQL has no other use for it.
    auto found = guarded(path_, [&] {
        std::optional<StoredKey> out;
        KeyCursor cursor(*sql_, "WHERE number = " + std::to_string(number));
        if (StoredKey* key = cursor.next())
            out = std::move(*key);
        return out;
    });
    return found;
}

std::vector<StoredKey> Store::find_named(const std::string& name, std::size_t most) {
    for (auto exact : {find_id(name), find_fingerprint(name)})
        if (exact && !exact->removed())
            return {std::move(*exact)};
    if (name.empty())
        return {};
    // Two ranges of two indexes. The bounds are one text and the same with one byte more.
    std::vector<StoredKey> out;
    const std::string upto = end_of(name);
    for (const char* column : {"id", "fingerprint"}) {
        const std::string rest =
            std::string("WHERE ") + column + " >= :value AND removed_at = 0 ORDER BY " + column;
        guarded(path_, [&] {
            KeyCursor cursor(*sql_, rest, &name);
            for (StoredKey* key = cursor.next(); key != nullptr && out.size() < most; key = cursor.next()) {
                if ((*column == 'i' ? key->id : key->fingerprint) >= upto)
                    break;
                if (std::none_of(out.begin(), out.end(),
                                 [&](const StoredKey& k) { return k.number == key->number; }))
                    out.push_back(std::move(*key));
            }
        });
    }
    return out;
}

std::uint64_t Store::count_named(const std::string& beginning) {
    return guarded(path_, [&] {
        Number count = 0;
        const std::string upto = end_of(beginning);
        *sql_ << "SELECT count(*) FROM pubkey WHERE removed_at = 0 AND ((id >= :a AND id < :b)"
                 " OR (fingerprint >= :c AND fingerprint < :d))",
            soci::into(count), soci::use(beginning, "a"), soci::use(upto, "b"), soci::use(beginning, "c"),
            soci::use(upto, "d");
        return static_cast<std::uint64_t>(count);
    });
}

std::uint64_t Store::count() {
    return guarded(path_, [&] {
        Number count = 0;
        *sql_ << "SELECT count(*) FROM pubkey", soci::into(count);
        return static_cast<std::uint64_t>(count);
    });
}

void Store::each(const std::function<void(StoredKey&)>& visit) {
    guarded(path_, [&] {
        KeyCursor cursor(*sql_, "WHERE removed_at = 0 ORDER BY number");
        while (StoredKey* key = cursor.next())
            visit(*key);
    });
}

void Store::each_login(const std::function<LoginRow&()>& room, const std::function<void()>& filled) {
    guarded(path_, [&] {
        LoginCursor cursor(*sql_);
        while (cursor.next(room()))
            filled();
    });
}

void Store::each_revoked(const std::function<void(StoredKey&)>& visit) {
    guarded(path_, [&] {
        KeyCursor cursor(*sql_, "WHERE state = 'revoked' ORDER BY number");
        while (StoredKey* key = cursor.next())
            visit(*key);
    });
}

std::vector<StoredKey> Store::keys() {
    std::vector<StoredKey> out;
    guarded(path_, [&] {
        KeyCursor cursor(*sql_, "WHERE removed_at = 0");
        while (StoredKey* key = cursor.next())
            out.push_back(std::move(*key));
    });
    std::sort(out.begin(), out.end(), [](const StoredKey& a, const StoredKey& b) { return a.id < b.id; });
    return out;
}

void Store::each_name(const std::function<void(const Name&)>& visit) {
    guarded(path_, [&] {
        Name name;
        std::string state;
        Number removed = 0;
        soci::statement rows =
            (sql_->prepare << "SELECT id, fingerprint, state, removed_at FROM pubkey", soci::into(name.id),
             soci::into(name.fingerprint), soci::into(state), soci::into(removed));
        rows.execute();
        while (rows.fetch()) {
            name.revoked = state == word_of(keyring::KeyState::revoked);
            name.removed = removed != 0;
            visit(name);
        }
    });
}

std::int64_t Store::next_number() {
    Number next = 0;
    *sql_ << "SELECT coalesce(max(number), 0) + 1 FROM pubkey", soci::into(next);
    return next;
}

void Store::insert(StoredKey& key, const Note& note) {
    guarded(path_, [&] {
        key.number = next_number();
        KeyInserter(*sql_, KeyInserter::Kind::any).insert(key);
        remember(key.number, key.number, note, difference(nullptr, key));
        touched_.push_back(key.number);
    });
}

void Store::update(const StoredKey& before, const StoredKey& after, const Note& note) {
    guarded(path_, [&] {
        update_key(*sql_, after);
        remember(after.number, after.number, note, difference(&before, after));
        touched_.push_back(after.number);
    });
}

void Store::remember(std::int64_t first, std::int64_t last, const Note& note, const Difference& difference) {
    Number seq = 0;
    *sql_ << "SELECT coalesce(max(seq), 0) + 1 FROM history", soci::into(seq);
    HistoryEntry entry;
    static_cast<Note&>(entry) = note;
    entry.before = difference.before;
    entry.after = difference.after;
    insert_history(*sql_, seq, first, last, entry);
}

std::vector<HistoryEntry> Store::history(const StoredKey& key) {
    return guarded(path_, [&] {
        std::vector<HistoryEntry> out;
        HistoryEntry entry;
        Number at = 0;
        const Number number = key.number;
        soci::statement rows =
            (sql_->prepare << "SELECT at, operator, action, detail, before_change, after_change FROM history"
                              " WHERE first_key = :a OR (first_key < :b AND last_key >= :c) ORDER BY seq",
             soci::into(at), soci::into(entry.operator_name), soci::into(entry.action),
             soci::into(entry.detail), soci::into(entry.before), soci::into(entry.after),
             soci::use(number, "a"), soci::use(number, "b"), soci::use(number, "c"));
        rows.execute();
        while (rows.fetch()) {
            entry.at = at;
            out.push_back(entry);
        }
        return out;
    });
}

void Store::copy_to(const std::string& path) {
    guarded(path_, [&] { engine::copy_to(*sql_, path); });
}

void Store::check() {
    guarded(path_, [&] {
        if (const std::string found = engine::damage(*sql_); !found.empty())
            stop(Status::unavailable, "the store {} is damaged: {}", escape_visible(path_),
                 escape_visible(found));
    });
}

// --- many at once

struct Store::Bulk::Inserter {
    explicit Inserter(soci::session& sql) : statement(sql, KeyInserter::Kind::imported) {}
    KeyInserter statement;
};

Store::Bulk::Bulk(Store& store, bool rebuild) : store_(store), rebuild_(rebuild) {
    guarded(store_.path_, [&] {
        first_ = store_.next_number();
        if (rebuild_)
            schema::drop_indexes(*store_.sql_);
        inserter_ = std::make_unique<Inserter>(*store_.sql_);
    });
    next_ = first_;
}

Store::Bulk::~Bulk() = default;

void Store::Bulk::insert(StoredKey& key) {
    key.number = next_++;
    guarded(store_.path_, [&] { inserter_->statement.insert(key); });
}

void Store::Bulk::finish(const Note& note) {
    guarded(store_.path_, [&] {
        inserter_.reset();
        if (rebuild_)
            schema::create_indexes(*store_.sql_);
        if (next_ != first_) {
            store_.remember(first_, next_ - 1, note, {});
            store_.touched_many_ = true;
        }
    });
}

} // namespace gate::ctl
