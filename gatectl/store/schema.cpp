#include "gatectl/store/schema.h"

#include "gatectl/store/engine.h"
#include "gatectl/store/key.h"
#include "gatectl/store/rows.h"

#include <map>
#include <unordered_map>

namespace gate::ctl::schema {

namespace {

using engine::Number;

// Lengths are those of names.h; MySQL wants them, SQLite ignores them.
constexpr const char* k_tables[] = {
    "CREATE TABLE gate_store (one INTEGER PRIMARY KEY CHECK (one = 1), schema_version INTEGER NOT NULL,"
    " generation BIGINT NOT NULL, keyring VARCHAR(64) NOT NULL)",
    "CREATE TABLE pubkey (number INTEGER PRIMARY KEY NOT NULL, id VARCHAR(64) NOT NULL,"
    " fingerprint VARCHAR(64) NOT NULL, type VARCHAR(64) NOT NULL, blob TEXT NOT NULL,"
    " agents TEXT NOT NULL, note VARCHAR(400) NOT NULL DEFAULT '', binding VARCHAR(8) NOT NULL DEFAULT '',"
    " not_before BIGINT NOT NULL DEFAULT 0, expires_at BIGINT NOT NULL DEFAULT 0,"
    " sources VARCHAR(4000) NOT NULL DEFAULT '', quota_files BIGINT NOT NULL DEFAULT 0,"
    " quota_bytes BIGINT NOT NULL DEFAULT 0, max_file_size BIGINT NOT NULL DEFAULT 0,"
    " approver VARCHAR(400) NOT NULL DEFAULT '', added_at BIGINT NOT NULL,"
    " added_by VARCHAR(400) NOT NULL, state VARCHAR(8) NOT NULL DEFAULT 'active',"
    " state_at BIGINT NOT NULL DEFAULT 0, state_by VARCHAR(400) NOT NULL DEFAULT '',"
    " state_reason VARCHAR(400) NOT NULL DEFAULT '', removed_at BIGINT NOT NULL DEFAULT 0,"
    " removed_by VARCHAR(400) NOT NULL DEFAULT '')",
    // Of one key (first_key = last_key), or of all that were imported together.
    "CREATE TABLE history (seq INTEGER PRIMARY KEY NOT NULL, at BIGINT NOT NULL,"
    " operator VARCHAR(400) NOT NULL, action VARCHAR(16) NOT NULL,"
    " first_key INTEGER NOT NULL REFERENCES pubkey (number),"
    " last_key INTEGER NOT NULL REFERENCES pubkey (number), detail TEXT NOT NULL,"
    " before_change TEXT NOT NULL, after_change TEXT NOT NULL)",
    "CREATE INDEX history_of_key ON history (first_key)",
};

constexpr const char* k_enrolment_tables[] = {
    "CREATE TABLE enrolment (one INTEGER PRIMARY KEY CHECK (one = 1), salt VARCHAR(64) NOT NULL DEFAULT '',"
    " window_from BIGINT NOT NULL DEFAULT 0, window_until BIGINT NOT NULL DEFAULT 0,"
    " window_by VARCHAR(400) NOT NULL DEFAULT '', password_set INTEGER NOT NULL DEFAULT 0)",
    "INSERT INTO enrolment (one) VALUES (1)",
    "CREATE TABLE enrol_code (id VARCHAR(16) PRIMARY KEY NOT NULL, hash VARCHAR(64) NOT NULL,"
    " agents TEXT NOT NULL, sources VARCHAR(4000) NOT NULL DEFAULT '', made_at BIGINT NOT NULL,"
    " made_by VARCHAR(400) NOT NULL, expires_at BIGINT NOT NULL, key_expires_at BIGINT NOT NULL DEFAULT 0,"
    " note VARCHAR(400) NOT NULL DEFAULT '', replaces INTEGER NOT NULL DEFAULT 0,"
    " state VARCHAR(9) NOT NULL DEFAULT 'open', state_at BIGINT NOT NULL DEFAULT 0,"
    " state_by VARCHAR(400) NOT NULL DEFAULT '', used_key VARCHAR(64) NOT NULL DEFAULT '')",
    "CREATE TABLE pending_key (fingerprint VARCHAR(64) PRIMARY KEY NOT NULL, id VARCHAR(16) NOT NULL,"
    " type VARCHAR(64) NOT NULL, blob TEXT NOT NULL, comment VARCHAR(400) NOT NULL DEFAULT '',"
    " peer VARCHAR(64) NOT NULL DEFAULT '', site VARCHAR(64) NOT NULL DEFAULT '', asked_at BIGINT NOT NULL,"
    " in_place_of VARCHAR(64) NOT NULL DEFAULT '')",
};

constexpr const char* k_from_1_to_2[] = {
    "ALTER TABLE pubkey ADD COLUMN binding TEXT NOT NULL DEFAULT ''",
    "UPDATE gate_store SET schema_version = 2 WHERE one = 1",
};

// Keys of version 2 in the order in which they were added, and their agents.
[[nodiscard]] std::vector<StoredKey> keys_of_2(soci::session& sql) {
    std::vector<StoredKey> out;
    StoredKey key;
    Number added = 0;
    Number revoked = 0;
    soci::statement rows =
        (sql.prepare
             << "SELECT id, fingerprint, type, blob, note, added_at, added_by, revoked_at, revoked_by,"
                " revoke_reason, binding FROM pubkey ORDER BY added_at, id",
         soci::into(key.id), soci::into(key.fingerprint), soci::into(key.type), soci::into(key.blob),
         soci::into(key.note), soci::into(added), soci::into(key.added_by), soci::into(revoked),
         soci::into(key.state_by), soci::into(key.state_reason), soci::into(key.binding));
    rows.execute();
    while (rows.fetch()) {
        key.added_at = added;
        key.approver = key.added_by;
        key.state_at = revoked;
        key.state = revoked != 0 ? keyring::KeyState::revoked : keyring::KeyState::active;
        key.number = static_cast<std::int64_t>(out.size()) + 1;
        out.push_back(key);
    }
    std::unordered_map<std::string, std::vector<std::string>> agents;
    std::string id;
    std::string name;
    soci::statement names = (sql.prepare << "SELECT key_id, name FROM agent ORDER BY key_id, position",
                             soci::into(id), soci::into(name));
    names.execute();
    while (names.fetch())
        agents[id].push_back(name);
    for (StoredKey& one : out)
        one.agents = std::move(agents[one.id]);
    return out;
}

struct OldEntry {
    HistoryEntry entry;
    std::string key_id;
};

[[nodiscard]] std::vector<OldEntry> history_of_2(soci::session& sql) {
    std::vector<OldEntry> out;
    OldEntry old;
    Number at = 0;
    soci::statement rows =
        (sql.prepare << "SELECT at, operator, action, key_id, detail FROM history ORDER BY seq",
         soci::into(at), soci::into(old.entry.operator_name), soci::into(old.entry.action),
         soci::into(old.key_id), soci::into(old.entry.detail));
    rows.execute();
    while (rows.fetch()) {
        old.entry.at = at;
        out.push_back(old);
    }
    return out;
}

void from_3_to_4(soci::session& sql) {
    for (const char* statement : k_enrolment_tables)
        sql << statement;
    sql << "UPDATE gate_store SET schema_version = 4 WHERE one = 1";
}

// To the present version at once: create() makes its tables.
void from_2_to_now(soci::session& sql) {
    std::vector<StoredKey> keys = keys_of_2(sql);
    const std::vector<OldEntry> entries = history_of_2(sql);
    Number generation = 0;
    sql << "SELECT generation FROM gate_store WHERE one = 1", soci::into(generation);
    for (const char* table : {"history", "agent", "pubkey", "gate_store"})
        sql << "DROP TABLE " << table;
    create(sql);
    sql << "UPDATE gate_store SET generation = :g WHERE one = 1", soci::use(generation);
    std::map<std::string, std::int64_t> numbers;
    {
        KeyInserter inserter(sql, KeyInserter::Kind::any);
        for (const StoredKey& key : keys) {
            inserter.insert(key);
            numbers[key.id] = key.number;
        }
    }
    std::int64_t seq = 0;
    for (const OldEntry& old : entries)
        insert_history(sql, ++seq, numbers.at(old.key_id), numbers.at(old.key_id), old.entry);
}

} // namespace

void create(soci::session& sql) {
    for (const char* statement : k_tables)
        sql << statement;
    for (const char* statement : k_enrolment_tables)
        sql << statement;
    create_indexes(sql);
    const int now = k_version;
    sql << "INSERT INTO gate_store (one, schema_version, generation, keyring) VALUES (1, :v, 0, '')",
        soci::use(now);
}

int version(soci::session& sql) {
    int version = 0;
    sql << "SELECT schema_version FROM gate_store WHERE one = 1", soci::into(version);
    return version;
}

void upgrade(soci::session& sql) {
    if (version(sql) == 1)
        for (const char* statement : k_from_1_to_2)
            sql << statement;
    if (version(sql) == 2)
        from_2_to_now(sql);
    if (version(sql) == 3)
        from_3_to_4(sql);
}

void drop_indexes(soci::session& sql) {
    sql << "DROP INDEX pubkey_by_id";
    sql << "DROP INDEX pubkey_by_fingerprint";
}

void create_indexes(soci::session& sql) {
    engine::create_index(sql, "CREATE UNIQUE INDEX pubkey_by_id ON pubkey (id)");
    engine::create_index(sql, "CREATE UNIQUE INDEX pubkey_by_fingerprint ON pubkey (fingerprint)");
}

} // namespace gate::ctl::schema
