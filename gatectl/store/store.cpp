#include "gatectl/store/store.h"

#include "gatectl/problem.h"
#include "gatectl/store/location.h"
#include "lib/base/text.h"

#include <map>

// A SOCI built with Boost makes its header include Boost's, for binding fusion sequences, which nothing here
// does. Only templates depend on the macro, no layout; without it the build needs no Boost.
#include <soci/soci-config.h>
#undef SOCI_HAVE_BOOST
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

namespace gate::ctl {

namespace {

// 1: the first. 2: pubkey.binding.
constexpr int k_schema_version = 2;

constexpr const char* k_schema[] = {
    "CREATE TABLE gate_store (one INTEGER PRIMARY KEY CHECK (one = 1), schema_version INTEGER NOT NULL,"
    " generation INTEGER NOT NULL)",
    "CREATE TABLE pubkey (id TEXT PRIMARY KEY NOT NULL, fingerprint TEXT NOT NULL UNIQUE,"
    " type TEXT NOT NULL, blob TEXT NOT NULL, note TEXT NOT NULL, added_at INTEGER NOT NULL,"
    " added_by TEXT NOT NULL, revoked_at INTEGER NOT NULL DEFAULT 0, revoked_by TEXT NOT NULL DEFAULT '',"
    " revoke_reason TEXT NOT NULL DEFAULT '', binding TEXT NOT NULL DEFAULT '')",
    "CREATE TABLE agent (key_id TEXT NOT NULL REFERENCES pubkey (id), position INTEGER NOT NULL,"
    " name TEXT NOT NULL, PRIMARY KEY (key_id, position), UNIQUE (key_id, name))",
    "CREATE TABLE history (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, operator TEXT NOT NULL,"
    " action TEXT NOT NULL, key_id TEXT NOT NULL REFERENCES pubkey (id), detail TEXT NOT NULL)",
    "CREATE INDEX history_of_key ON history (key_id)",
    "INSERT INTO gate_store (one, schema_version, generation) VALUES (1, 2, 0)",
};

constexpr const char* k_from_1_to_2[] = {
    "ALTER TABLE pubkey ADD COLUMN binding TEXT NOT NULL DEFAULT ''",
    "UPDATE gate_store SET schema_version = 2 WHERE one = 1",
};

constexpr const char* k_key_columns =
    "SELECT id, fingerprint, type, blob, note, added_at, added_by, revoked_at,"
    " revoked_by, revoke_reason, binding FROM pubkey ";

using Number = long long; // SOCI's name for 64 bits

// SQLite's words in ours.
[[noreturn]] void translate(const std::string& path, const soci::soci_error& error) {
    const std::string file = escape_visible(path);
    const auto* sqlite = dynamic_cast<const soci::sqlite3_soci_error*>(&error);
    switch (sqlite != nullptr ? sqlite->result() & 0xff : 0) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        stop(Status::unavailable,
             "the store {} is locked by another program: try again; logins go on with the published keyring",
             file);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        stop(Status::unavailable,
             "the store {} is damaged or not a store: restore it from a backup; logins go on with the "
             "published keyring",
             file);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        stop(Status::no_permission, "the store {} cannot be written: run as root", file);
    case SQLITE_FULL:
    case SQLITE_IOERR:
        stop(Status::io, "the store {} cannot be written, is the disk full? ({})", file,
             escape_visible(error.get_error_message()));
    default:
        stop(Status::unavailable, "the store {} cannot be used: {}", file,
             escape_visible(error.get_error_message()));
    }
}

template<class F>
auto guarded(const std::string& path, F&& work) {
    try {
        return work();
    } catch (const soci::soci_error& error) {
        translate(path, error);
    }
}

} // namespace

Store::Store(const std::string& path, uid_t owner, int patience) : path_(prepare_store(path, owner)) {
    guarded(path_, [&] {
        sql_ = std::make_unique<soci::session>(soci::sqlite3,
                                               fmt::format("db=\"{}\" timeout={}", path_, patience));
        // A change that was reported must survive a power cut, the journal's directory entry included.
        *sql_ << "PRAGMA synchronous = EXTRA";
        *sql_ << "PRAGMA foreign_keys = ON";
    });
    create_or_check();
}

Store::~Store() = default;

Store::Transaction::Transaction(Store& store, Kind kind) : store_(store) {
    guarded(store_.path_, [&] { *store_.sql_ << (kind == Kind::write ? "BEGIN IMMEDIATE" : "BEGIN"); });
}

Store::Transaction::~Transaction() {
    if (!open_)
        return;
    try {
        *store_.sql_ << "ROLLBACK";
    } catch (
        const std::exception&) { // SQLite has rolled back by itself, or will when the file is next opened
    }
}

void Store::Transaction::commit() {
    guarded(store_.path_, [&] { *store_.sql_ << "COMMIT"; });
    open_ = false;
}

long long Store::schema_version() {
    Number version = 0;
    *sql_ << "SELECT schema_version FROM gate_store WHERE one = 1", soci::into(version);
    return version;
}

void Store::upgrade() {
    Transaction transaction(*this, Transaction::Kind::write);
    if (schema_version() == 1) // nobody was quicker
        for (const char* statement : k_from_1_to_2)
            *sql_ << statement;
    transaction.commit();
}

void Store::create_or_check() {
    const auto tables = [this](const char* which) {
        Number count = 0;
        *sql_ << "SELECT count(*) FROM sqlite_master" << which, soci::into(count);
        return count;
    };
    guarded(path_, [&] {
        if (tables("") == 0) {
            Transaction transaction(*this, Transaction::Kind::write);
            if (tables("") == 0) // nobody was quicker
                for (const char* statement : k_schema)
                    *sql_ << statement;
            transaction.commit();
        }
        if (tables(" WHERE type = 'table' AND name = 'gate_store'") == 0)
            stop(Status::unavailable, "{} is a database, but not a store of pandora-gate",
                 escape_visible(path_));
        Number version = schema_version();
        if (version == 1) {
            upgrade();
            version = schema_version();
        }
        if (version != k_schema_version)
            stop(Status::unavailable,
                 "the store {} has version {}, this program knows version {}: install the pandora-gate that "
                 "wrote it",
                 escape_visible(path_), version, k_schema_version);
    });
}

std::uint64_t Store::generation() {
    return guarded(path_, [&] {
        Number generation = 0;
        *sql_ << "SELECT generation FROM gate_store WHERE one = 1", soci::into(generation);
        return static_cast<std::uint64_t>(generation);
    });
}

void Store::set_generation(std::uint64_t generation) {
    guarded(path_, [&] {
        const auto number = static_cast<Number>(generation);
        *sql_ << "UPDATE gate_store SET generation = :g WHERE one = 1", soci::use(number);
    });
}

std::vector<StoredKey> Store::keys() {
    return guarded(path_, [&] {
        std::map<std::string, std::vector<std::string>> agents;
        std::string id;
        std::string name;
        soci::statement names = (sql_->prepare << "SELECT key_id, name FROM agent ORDER BY key_id, position",
                                 soci::into(id), soci::into(name));
        names.execute();
        while (names.fetch())
            agents[id].push_back(name);

        std::vector<StoredKey> out;
        StoredKey key;
        Number added = 0;
        Number revoked = 0;
        soci::statement rows =
            (sql_->prepare << k_key_columns << "ORDER BY id", soci::into(key.id), soci::into(key.fingerprint),
             soci::into(key.type), soci::into(key.blob), soci::into(key.note), soci::into(added),
             soci::into(key.added_by), soci::into(revoked), soci::into(key.revoked_by),
             soci::into(key.revoke_reason), soci::into(key.binding));
        rows.execute();
        while (rows.fetch()) {
            key.added_at = added;
            key.revoked_at = revoked;
            key.agents = agents[key.id];
            out.push_back(key);
        }
        return out;
    });
}

std::vector<std::string> Store::agents_of(const std::string& id) {
    std::vector<std::string> out;
    std::string name;
    soci::statement rows = (sql_->prepare << "SELECT name FROM agent WHERE key_id = :id ORDER BY position",
                            soci::into(name), soci::use(id));
    rows.execute();
    while (rows.fetch())
        out.push_back(name);
    return out;
}

std::optional<StoredKey> Store::find(const char* column, const std::string& value) {
    return guarded(path_, [&]() -> std::optional<StoredKey> {
        StoredKey key;
        Number added = 0;
        Number revoked = 0;
        *sql_ << k_key_columns << "WHERE " << column << " = :value", soci::into(key.id),
            soci::into(key.fingerprint), soci::into(key.type), soci::into(key.blob), soci::into(key.note),
            soci::into(added), soci::into(key.added_by), soci::into(revoked), soci::into(key.revoked_by),
            soci::into(key.revoke_reason), soci::into(key.binding), soci::use(value);
        if (!sql_->got_data())
            return std::nullopt;
        key.added_at = added;
        key.revoked_at = revoked;
        key.agents = agents_of(key.id);
        return key;
    });
}

std::optional<StoredKey> Store::find_fingerprint(const std::string& fingerprint) {
    return find("fingerprint", fingerprint);
}

std::optional<StoredKey> Store::find_id(const std::string& id) {
    return find("id", id);
}

void Store::insert(const StoredKey& key) {
    guarded(path_, [&] {
        const Number added = key.added_at;
        const Number revoked = key.revoked_at;
        *sql_ << "INSERT INTO pubkey (id, fingerprint, type, blob, note, added_at, added_by, revoked_at,"
                 " revoked_by, revoke_reason, binding) VALUES (:i, :f, :t, :b, :n, :aa, :ab, :ra, :rb, :rr, "
                 ":bi)",
            soci::use(key.id), soci::use(key.fingerprint), soci::use(key.type), soci::use(key.blob),
            soci::use(key.note), soci::use(added), soci::use(key.added_by), soci::use(revoked),
            soci::use(key.revoked_by), soci::use(key.revoke_reason), soci::use(key.binding);
        insert_agents(key.id, 0, key.agents);
    });
}

void Store::insert_agents(const std::string& id, long long position, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
        *sql_ << "INSERT INTO agent (key_id, position, name) VALUES (:i, :p, :n)", soci::use(id),
            soci::use(position), soci::use(name);
        ++position;
    }
}

void Store::bind(const std::string& id, const std::vector<std::string>& more, const std::string& binding) {
    guarded(path_, [&] {
        Number next = 0;
        *sql_ << "SELECT coalesce(max(position) + 1, 0) FROM agent WHERE key_id = :id", soci::into(next),
            soci::use(id);
        insert_agents(id, next, more);
        *sql_ << "UPDATE pubkey SET binding = :b WHERE id = :id", soci::use(binding), soci::use(id);
    });
}

void Store::revoke(const std::string& id, std::int64_t at, const std::string& by, const std::string& reason) {
    guarded(path_, [&] {
        const Number when = at;
        *sql_ << "UPDATE pubkey SET revoked_at = :at, revoked_by = :by, revoke_reason = :why WHERE id = :id",
            soci::use(when), soci::use(by), soci::use(reason), soci::use(id);
    });
}

void Store::remember(const HistoryEntry& entry) {
    guarded(path_, [&] {
        const Number at = entry.at;
        *sql_
            << "INSERT INTO history (at, operator, action, key_id, detail) VALUES (:at, :op, :ac, :id, :de)",
            soci::use(at), soci::use(entry.operator_name), soci::use(entry.action), soci::use(entry.key_id),
            soci::use(entry.detail);
    });
}

std::vector<HistoryEntry> Store::history(const std::string& key_id) {
    return guarded(path_, [&] {
        std::vector<HistoryEntry> out;
        HistoryEntry entry;
        Number at = 0;
        soci::statement rows =
            (sql_->prepare << "SELECT at, operator, action, key_id, detail FROM history WHERE key_id = :id"
                              " ORDER BY seq",
             soci::into(at), soci::into(entry.operator_name), soci::into(entry.action),
             soci::into(entry.key_id), soci::into(entry.detail), soci::use(key_id));
        rows.execute();
        while (rows.fetch()) {
            entry.at = at;
            out.push_back(entry);
        }
        return out;
    });
}

} // namespace gate::ctl
