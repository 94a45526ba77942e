// Store and keyring as one: what a command changed, logins see; what failed, changed nothing; and nothing
// brings a revoked key back.
#include "tests/unit/support.h"
#include "tests/unit/test_ctl_keys.h"
#include "tests/unit/test_ctl_place.h"

#include "gatectl/publish/publish.h"

#include <sqlite3.h>
#include <thread>

using namespace gate;
using namespace gate::test;

namespace {

void a_key_that_was_added_is_in_the_keyring() {
    Place p;
    CHECK(contains(p.add(k_ed25519, {"web01", "se\xc3\xb1or"}), "added web01-711e0d SHA256:cR4N"));
    const auto record = p.find(k_ed25519);
    CHECK(record.has_value());
    CHECK_EQ(record->id, std::string("web01-711e0d"));
    CHECK(record->state == keyring::KeyState::active);
    CHECK_EQ(record->agents.size(), std::size_t{2});
    CHECK_EQ(record->agents[0].md5, std::string("2f527604e1deff1329720282d8d3cfa1"));
    CHECK_EQ(record->agents[1].name, std::string("se\xc3\xb1or"));
    CHECK_EQ(p.header().generation, std::uint64_t{1});
    const auto keys = p.stored();
    CHECK_EQ(keys.size(), std::size_t{1});
    CHECK_EQ(keys[0].added_by, std::string("tester"));
    CHECK_EQ(keys[0].note, std::string("agent@ed25519"));
    CHECK(keys[0].agents == std::vector<std::string>({"web01", "se\xc3\xb1or"}));
}

void adding_again_is_harmless_and_adding_otherwise_is_refused() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a", "b"}));
    CHECK(contains(p.add(k_ed25519, {"b", "a"}), "already there, nothing changed"));
    CHECK_EQ(p.header().generation, std::uint64_t{1});
    refused(ctl::Status::refused, "pandora-gate keys bind a-711e0d --agent NAME",
            [&] { static_cast<void>(p.add(k_ed25519, {"a"})); });
    refused(ctl::Status::refused, "an id does not change", [&] {
        static_cast<void>(p.add(k_ed25519, {"a", "b"}, "other"));
    });
    refused(ctl::Status::refused, "is another key's",
            [&] { static_cast<void>(p.add(k_rsa2048, {"c"}, "a-711e0d")); });
    CHECK_EQ(p.header().generation, std::uint64_t{1});
}

void a_revoked_key_stays_as_a_tombstone() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"web01"}));
    static_cast<void>(p.add(k_rsa2048, {"web02"}));
    CHECK(contains(ctl::revoke_key(p.context, "SHA256:cR4N", "lost"), "1 key active, 1 revoked"));
    const auto record = p.find(k_ed25519);
    CHECK(record.has_value());
    CHECK(record->state == keyring::KeyState::revoked);
    CHECK_EQ(record->revoke_reason, std::string("lost"));
    CHECK(record->revoked_at > 0);
    CHECK(p.find(k_rsa2048)->state == keyring::KeyState::active);
    refused(ctl::Status::refused, "cannot be added again",
            [&] { static_cast<void>(p.add(k_ed25519, {"web01"})); });
    CHECK(contains(ctl::revoke_key(p.context, "web01", "again"), "was revoked on"));
    CHECK(p.find(k_ed25519)->revoke_reason == "lost");
    CHECK(contains(ctl::show_key(p.context, "web01", false), "revoke by tester: lost"));
    CHECK(contains(ctl::list_keys(p.context, true), "\"state\": \"revoked\""));
}

void names_of_keys() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"web"}, "web"));
    static_cast<void>(p.add(k_rsa2048, {"web02"}, "web02"));
    CHECK(contains(ctl::show_key(p.context, "web", false), k_ed25519.fingerprint)); // exact before prefix
    CHECK(contains(ctl::show_key(p.context, "web0", false), k_rsa2048.fingerprint));
    CHECK(contains(ctl::show_key(p.context, k_rsa2048.fingerprint, false), "web02"));
    refused(ctl::Status::refused, "could be any of 2",
            [&] { static_cast<void>(ctl::show_key(p.context, "we", false)); });
    refused(ctl::Status::refused, "there is no key",
            [&] { static_cast<void>(ctl::show_key(p.context, "x", false)); });
    refused(ctl::Status::refused, "there is no key",
            [&] { static_cast<void>(ctl::show_key(p.context, "", false)); });
    refused(ctl::Status::refused, "there is no key",
            [&] { static_cast<void>(ctl::revoke_key(p.context, "x\x1b[2J", "why")); });
    refused(ctl::Status::usage, "--reason",
            [&] { static_cast<void>(ctl::revoke_key(p.context, "web", "")); });
}

void looking_makes_no_files() {
    Place p;
    CHECK_EQ(ctl::list_keys(p.context, false), std::string());
    CHECK_EQ(ctl::list_keys(p.context, true), std::string("[]\n"));
    CHECK(::access((p.dir / "store").c_str(), F_OK) != 0);
}

void a_publish_that_fails_changes_nothing() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    const auto before = p.stored();
    const std::string good = p.context.keyring;
    p.context.keyring = p.dir / "missing/keyring";
    refused(ctl::Status::cant_create, "nothing was changed",
            [&] { static_cast<void>(p.add(k_rsa2048, {"b"})); });
    refused(ctl::Status::cant_create, "nothing was changed",
            [&] { static_cast<void>(ctl::revoke_key(p.context, "a", "x")); });
    refused(ctl::Status::cant_create, "nothing was changed",
            [&] { static_cast<void>(ctl::publish_command(p.context)); });
    CHECK(p.stored() == before);
    p.context.keyring = good;
    CHECK_EQ(p.header().generation, std::uint64_t{1});
}

void publishing_reads_gate_toml_and_changes_of_keys_do_not() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    write_file(p.context.config, "[drop]\nsession_files = 5\n");
    static_cast<void>(p.add(k_rsa2048, {"b"}));
    CHECK_EQ(p.policy().drop_session_files, std::uint64_t{10'000});
    CHECK_EQ(ctl::publish_command(p.context),
             std::string("published generation 3: 2 keys active, 0 revoked; policy changed; keys "
                         "unchanged\n  drop.session_files: 10000 -> 5\n"));
    CHECK_EQ(p.policy().drop_session_files, std::uint64_t{5});
    CHECK(contains(ctl::publish_command(p.context), "policy unchanged"));
    write_file(p.context.config, "[drop]\nsession_files = 0\n");
    refused(ctl::Status::bad_data,
            "gate.toml:2: ", [&] { static_cast<void>(ctl::publish_command(p.context)); });
    CHECK_EQ(p.header().generation, std::uint64_t{4});
    static_cast<void>(ctl::revoke_key(p.context, "a", "in spite of the broken file"));
    CHECK(p.find(k_ed25519)->state == keyring::KeyState::revoked);
    CHECK_EQ(p.policy().drop_session_files, std::uint64_t{5});
}

// A reader's lock lets the transaction begin, and the keyring be published, but not the commit.
class CommitBlocker {
  public:
    explicit CommitBlocker(const Place& p)
        : store_(p.context.store, p.context.owner, 0),
          transaction_(store_, ctl::Store::Transaction::Kind::read) {
        static_cast<void>(store_.keys());
    }

  private:
    ctl::Store store_;
    ctl::Store::Transaction transaction_;
};

void a_commit_that_fails_takes_an_added_key_out_of_the_keyring() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    {
        const CommitBlocker blocker(p);
        refused(ctl::Status::unavailable, "locked", [&] { static_cast<void>(p.add(k_rsa2048, {"b"})); });
    }
    CHECK(!p.find(k_rsa2048).has_value());
    CHECK(p.find(k_ed25519)->state == keyring::KeyState::active);
    CHECK_EQ(p.stored().size(), std::size_t{1});
    CHECK(contains(p.add(k_rsa2048, {"b"}), "published generation 4"));
}

void a_commit_that_fails_does_not_bring_a_revoked_key_back() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    {
        const CommitBlocker blocker(p);
        refused(ctl::Status::unavailable, "every revocation",
                [&] { static_cast<void>(ctl::revoke_key(p.context, "a", "stolen")); });
    }
    CHECK(!p.stored()[0].revoked());
    CHECK(p.find(k_ed25519)->state == keyring::KeyState::revoked);
    static_cast<void>(p.add(k_rsa2048, {"b"})); // any later change takes the revocation over
    CHECK(p.find(k_ed25519)->state == keyring::KeyState::revoked);
    CHECK(p.stored()[0].state_reason == "stolen");
}

void a_store_from_an_old_backup_keeps_revocations() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    const std::string backup = read_file(p.context.store);
    static_cast<void>(p.add(k_rsa2048, {"b"}));
    static_cast<void>(p.add(k_ecdsa256, {"c"}));
    static_cast<void>(ctl::revoke_key(p.context, "a", "stolen"));
    static_cast<void>(ctl::revoke_key(p.context, "b", "lost"));
    write_file(p.context.store, backup, 0600);
    write_file(p.context.config, "");
    CHECK(contains(ctl::publish_command(p.context), "generation 6: 0 keys active, 2 revoked"));
    CHECK(p.find(k_ed25519)->state == keyring::KeyState::revoked);
    CHECK(p.find(k_rsa2048)->state == keyring::KeyState::revoked);
    CHECK(!p.find(k_ecdsa256).has_value());
    CHECK_EQ(
        p.context.remarks.back(),
        std::string("the published keyring was ahead of the store: 1 key(s) that the store does not know are "
                    "no longer accepted, for instance c-ee9a83; add them again if they are wanted"));
    CHECK_EQ(p.stored().size(), std::size_t{2});
}

void a_damaged_or_missing_keyring_is_replaced() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    write_file(p.context.keyring, "nonsense");
    CHECK(contains(p.add(k_ed25519, {"a"}), "published generation 2"));
    CHECK(p.find(k_ed25519).has_value());
    CHECK_EQ(::unlink(p.context.keyring.c_str()), 0);
    CHECK(contains(ctl::publish_command(p.context), "generation 3: 1 key active, 0 revoked; policy new"));
}

void a_lost_store_is_not_begun_anew() {
    for (const bool missing : {true, false}) {
        Place p;
        static_cast<void>(p.add(k_ed25519, {"a"}));
        CHECK_EQ(missing ? ::unlink(p.context.store.c_str()) : ::truncate(p.context.store.c_str(), 0), 0);
        const char* words = missing ? "store.db is gone" : "store.db is empty";
        refused(ctl::Status::unavailable, words, [&] { static_cast<void>(ctl::publish_command(p.context)); });
        refused(ctl::Status::unavailable, words, [&] { static_cast<void>(p.add(k_rsa2048, {"b"})); });
        refused(ctl::Status::unavailable, words,
                [&] { static_cast<void>(ctl::list_keys(p.context, false)); });
        refused(ctl::Status::unavailable, words,
                [&] { static_cast<void>(ctl::show_key(p.context, "a", false)); });
        CHECK(p.find(k_ed25519).has_value());
        CHECK_EQ(p.header().generation, std::uint64_t{1});
        // What the message says for whoever wants just that.
        CHECK_EQ(::unlink(p.context.keyring.c_str()), 0);
        CHECK(contains(p.add(k_rsa2048, {"b"}), "published generation 1: 1 key active"));
    }
}

void two_administrators_at_once_lose_nothing() {
    Place p;
    p.context.store_patience = 60;
    constexpr int k_each = 8;
    const auto work = [&p](char who) {
        ctl::Context mine = p.context;
        for (int i = 0; i < k_each; ++i) {
            const std::string type = "ssh-ed25519";
            std::string blob{0, 0, 0, 11};
            blob += type + std::string{0, 0, 0, 32} + std::string(31, who) + static_cast<char>(i);
            const std::string line = type + ' ' + base64_encode(as_bytes(blob));
            static_cast<void>(ctl::add_key(
                mine,
                {.key = line, .agents = {fmt::format("{}{}", who, i)}, .note = {}, .id = {}, .binding = {}}));
        }
    };
    std::thread other(work, 'b');
    work('a');
    other.join();
    CHECK_EQ(p.stored().size(), std::size_t{2 * k_each});
    CHECK_EQ(p.header().generation, std::uint64_t{2 * k_each});
    CHECK_EQ(p.header().active_count, std::uint64_t{2 * k_each});
}

void a_locked_store_is_said_to_be_locked() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    ctl::Store store(p.context.store, p.context.owner, 0);
    const ctl::Store::Transaction writer(store, ctl::Store::Transaction::Kind::write);
    refused(ctl::Status::unavailable, "locked by another program",
            [&] { static_cast<void>(p.add(k_rsa2048, {"b"})); });
}

void modes_are_tight_and_demanded() {
    Place p;
    const mode_t old = ::umask(0);
    static_cast<void>(p.add(k_ed25519, {"a"}));
    ::umask(old);
    struct stat st {};
    CHECK_EQ(::stat(p.context.store.c_str(), &st), 0);
    CHECK_EQ(st.st_mode & 07777, mode_t{0600});
    CHECK_EQ(::stat((p.dir / "store").c_str(), &st), 0);
    CHECK_EQ(st.st_mode & 07777, mode_t{0700});
    CHECK_EQ(::chmod(p.context.store.c_str(), 0640), 0);
    refused(ctl::Status::no_permission, "chmod 600",
            [&] { static_cast<void>(ctl::list_keys(p.context, false)); });
    CHECK_EQ(::chmod(p.context.store.c_str(), 0600), 0);
    CHECK_EQ(::chmod((p.dir / "store").c_str(), 0777), 0);
    refused(ctl::Status::no_permission, "chmod go-w", [&] { static_cast<void>(p.add(k_rsa2048, {"b"})); });
}

// What 0.1.0 wrote before keys had a binding.
constexpr const char* k_schema_1[] = {
    "CREATE TABLE gate_store (one INTEGER PRIMARY KEY CHECK (one = 1), schema_version INTEGER NOT NULL,"
    " generation INTEGER NOT NULL)",
    "CREATE TABLE pubkey (id TEXT PRIMARY KEY NOT NULL, fingerprint TEXT NOT NULL UNIQUE,"
    " type TEXT NOT NULL, blob TEXT NOT NULL, note TEXT NOT NULL, added_at INTEGER NOT NULL,"
    " added_by TEXT NOT NULL, revoked_at INTEGER NOT NULL DEFAULT 0, revoked_by TEXT NOT NULL DEFAULT '',"
    " revoke_reason TEXT NOT NULL DEFAULT '')",
    "CREATE TABLE agent (key_id TEXT NOT NULL REFERENCES pubkey (id), position INTEGER NOT NULL,"
    " name TEXT NOT NULL, PRIMARY KEY (key_id, position), UNIQUE (key_id, name))",
    "CREATE TABLE history (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, operator TEXT NOT NULL,"
    " action TEXT NOT NULL, key_id TEXT NOT NULL REFERENCES pubkey (id), detail TEXT NOT NULL)",
    "CREATE INDEX history_of_key ON history (key_id)",
    "INSERT INTO gate_store (one, schema_version, generation) VALUES (1, 1, 7)",
    "INSERT INTO agent (key_id, position, name) VALUES ('old', 0, 'web01')",
    "INSERT INTO history (at, operator, action, key_id, detail) VALUES (1700000000, 'root', 'add', 'old', "
    "'')",
};

void execute(const std::string& path, const std::vector<std::string>& statements) {
    sqlite3* db = nullptr;
    CHECK_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
    for (const std::string& sql : statements) {
        char* message = nullptr;
        const int status = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &message);
        CHECK_MSG(status == SQLITE_OK, message != nullptr ? message : sql);
    }
    sqlite3_close(db);
}

void make_old_store(const Place& p) {
    CHECK_EQ(::mkdir((p.dir / "store").c_str(), 0700), 0);
    write_file(p.context.store, "", 0600);
    std::vector<std::string> all(std::begin(k_schema_1), std::end(k_schema_1));
    const std::string_view line = k_ed25519.line;
    const auto blob = line.substr(line.find(' ') + 1, line.rfind(' ') - line.find(' ') - 1);
    all.push_back(fmt::format("INSERT INTO pubkey (id, fingerprint, type, blob, note, added_at, added_by) "
                              "VALUES ('old', '{}', 'ssh-ed25519', '{}', 'n', 1700000000, 'root')",
                              k_ed25519.fingerprint, blob));
    execute(p.context.store, all);
}

// Whatever a row has come to hold, a publish takes nothing from it unseen, and logins keep what they have.
void a_damaged_row_is_not_published() {
    const std::pair<const char*, const char*> damages[] = {
        {"id = 'a b'", "its id is not one"},
        {"id = ''", "its id is not one"},
        {"blob = blob || '='", "its base64 is wrong"},
        {"blob = ''", "in the middle of a length"},
        {"type = 'ssh-rsa'", "the type inside is not the type before it"},
        {"fingerprint = 'SHA256:yNJOB9oTbx+fxwBX3xBcu6vHd6q13TdKv55RlXNdk2A'", "is another key's"},
        {"fingerprint = substr(fingerprint, 8)", "is another key's"},
        {"agents = 'x/.y'", "an agent's name is not one"},
        {"agents = 'x//y'", "an agent's name is not one"},
        {"binding = 'perhaps'", "its binding is none"},
        {"expires_at = -1", "one of its dates is none"}, // in the keyring it would be no end at all
        {"not_before = -1", "one of its dates is none"},
        {"sources = '10.0.0.1/8'", "one of its networks is none"},
        {"sources = '10.0.0.0/8,,::1'", "one of its networks is none"},
        {"sources = '*.example.org'", "one of its networks is none"},
    };
    for (const auto& [damage, words] : damages) {
        Place p;
        static_cast<void>(p.add(k_rsa2048, {"before"}, "before"));
        static_cast<void>(p.add(k_ed25519, {"a", "b"}, "mine"));
        static_cast<void>(p.add(k_ecdsa256, {"behind"}, "behind"));
        execute(p.context.store, {fmt::format("UPDATE pubkey SET {} WHERE id = 'mine'", damage)});
        refused(ctl::Status::bad_data, words, [&] { static_cast<void>(ctl::publish_command(p.context)); });
        CHECK_EQ(p.header().generation, std::uint64_t{3});
        CHECK_EQ(p.find(k_ed25519)->id, std::string("mine"));
    }
}

// Every column that a login needs, through a whole publish; one record after another, so that nothing of the
// one before stays.
void a_whole_publish_has_all_that_a_change_published() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a", "b*", "c"}, "first"));
    static_cast<void>(p.add(k_rsa2048, {}, "second"));
    static_cast<void>(p.add(k_ecdsa256, {"d"}, "third"));
    execute(p.context.store,
            {"UPDATE pubkey SET binding = 'off', not_before = 5, expires_at = 4000000000, sources ="
             " '10.0.0.0/8,::1/128', quota_files = 7, quota_bytes = 8, max_file_size = 9 WHERE id = 'first'",
             "UPDATE pubkey SET state = 'disabled', state_at = 11, state_reason = 'why' WHERE id = 'third'"});
    CHECK(contains(ctl::publish_command(p.context), "2 keys active, 0 revoked, 1 disabled"));
    const auto first = p.find(k_ed25519);
    const auto second = p.find(k_rsa2048);
    const auto third = p.find(k_ecdsa256);
    CHECK_EQ(first->agents.size(), std::size_t{3});
    CHECK_EQ(first->agents[0].md5, std::string("0cc175b9c0f1b6a831c399e269772661"));
    CHECK_EQ(first->agents[1].name, std::string("b*"));
    CHECK_EQ(first->agents[1].md5, std::string(32, '0'));
    CHECK(first->binding == keyring::Binding::off);
    CHECK_EQ(first->not_before, 5);
    CHECK_EQ(first->expires_at, 4'000'000'000);
    CHECK(first->from == std::vector<std::string>({"10.0.0.0/8", "::1/128"}));
    CHECK_EQ(first->limits.quota_files, 7U);
    CHECK_EQ(first->limits.quota_bytes, std::uint64_t{8});
    CHECK_EQ(first->limits.max_file_size, std::uint64_t{9});
    CHECK(second->agents.empty() && second->from.empty() && second->limits == keyring::Limits{});
    CHECK(second->binding != keyring::Binding::off);
    CHECK(second->state == keyring::KeyState::active);
    CHECK_EQ(second->expires_at + second->not_before + second->revoked_at, 0);
    CHECK(third->state == keyring::KeyState::disabled);
    CHECK_EQ(third->revoked_at, 11);
    CHECK_EQ(third->revoke_reason, std::string("why"));
    CHECK_EQ(third->agents.size(), std::size_t{1});
    // What has changed is published the same way.
    static_cast<void>(ctl::bind_key(p.context, {.keys = {"first"}, .agents = {"e"}, .binding = ""}));
    auto again = p.find(k_ed25519);
    CHECK_EQ(again->agents.size(), std::size_t{4});
    again->agents.pop_back();
    CHECK(*again == *first);
}

void a_store_of_version_1_is_upgraded() {
    Place p;
    make_old_store(p);
    const auto keys = p.stored(); // looking is enough
    CHECK_EQ(keys.size(), std::size_t{1});
    CHECK_EQ(keys[0].binding, std::string());
    CHECK(keys[0].agents == std::vector<std::string>{"web01"});
    CHECK(contains(ctl::show_key(p.context, "old", false), "add by root"));
    CHECK(contains(ctl::bind_key(p.context, {.keys = {"old"}, .agents = {"web02"}, .binding = "observe"}),
                   "published generation 8"));
    CHECK(p.find(k_ed25519)->binding == keyring::Binding::observe);
    CHECK(p.stored()[0].agents == std::vector<std::string>({"web01", "web02"}));
}

void a_store_of_version_2_keeps_what_it_knew() {
    Place p;
    make_old_store(p);
    execute(p.context.store,
            {"ALTER TABLE pubkey ADD COLUMN binding TEXT NOT NULL DEFAULT ''",
             "UPDATE gate_store SET schema_version = 2",
             "UPDATE pubkey SET binding = 'off', revoked_at = 1700000100, revoked_by = 'ann',"
             " revoke_reason = 'lost'",
             "INSERT INTO agent (key_id, position, name) VALUES ('old', 1, 'a b')",
             "INSERT INTO history (at, operator, action, key_id, detail)"
             " VALUES (1700000100, 'ann', 'revoke', 'old', 'lost')"});
    const auto keys = p.stored();
    CHECK_EQ(keys.size(), std::size_t{1});
    CHECK(keys[0].agents == std::vector<std::string>({"web01", "a b"}));
    CHECK_EQ(keys[0].binding, std::string("off"));
    CHECK(keys[0].revoked());
    CHECK_EQ(keys[0].state_at, std::int64_t{1700000100});
    CHECK_EQ(keys[0].state_by, std::string("ann"));
    CHECK_EQ(keys[0].state_reason, std::string("lost"));
    const std::string shown = ctl::show_key(p.context, "old", false);
    CHECK(contains(shown, "2023-11-14T22:13:20Z  add by root"));
    CHECK(contains(shown, "2023-11-14T22:15:00Z  revoke by ann: lost"));
    CHECK(contains(ctl::publish_command(p.context), "published generation 8: 0 keys active, 1 revoked"));
}

// Who, when, what, before and after.
void the_history_has_the_whole_of_it() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    static_cast<void>(ctl::bind_key(p.context, {.keys = {"a"}, .agents = {"b"}, .binding = "off"}));
    static_cast<void>(ctl::revoke_key(p.context, "a", "stolen"));
    ctl::Store store(p.context.store, p.context.owner, 0);
    const ctl::Store::Transaction transaction(store, ctl::Store::Transaction::Kind::read);
    const auto history = store.history(*store.find_fingerprint(k_ed25519.fingerprint));
    CHECK_EQ(history.size(), std::size_t{3});
    CHECK_EQ(history[0].action, std::string("add"));
    CHECK_EQ(history[0].before, std::string());
    CHECK(contains(history[0].after, R"("agents":["a"],"binding":"default")"));
    CHECK_EQ(history[1].before, std::string(R"({"agents":["a"],"binding":"default"})"));
    CHECK_EQ(history[1].after, std::string(R"({"agents":["a","b"],"binding":"off"})"));
    CHECK_EQ(history[2].before, std::string(R"({"state":"active","reason":""})"));
    CHECK_EQ(history[2].after, std::string(R"({"state":"revoked","reason":"stolen"})"));
    CHECK_EQ(history[2].operator_name, std::string("tester"));
    CHECK(history[2].at > 1'700'000'000);
}

// A restore renames another file over the store: what waited for the lock of the old one must not write
// there.
void a_change_of_a_store_that_was_replaced_is_refused() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    ctl::Store store(p.context.store, p.context.owner, 0);
    const std::string bytes = read_file(p.context.store);
    write_file(p.dir / "store/other", bytes, 0600);
    CHECK_EQ(::rename((p.dir / "store/other").c_str(), p.context.store.c_str()), 0);
    refused(ctl::Status::unavailable, "was replaced at this moment",
            [&] { const ctl::Store::Transaction transaction(store, ctl::Store::Transaction::Kind::write); });
}

void a_locked_store_of_version_1_stays_one() {
    Place p;
    make_old_store(p);
    sqlite3* db = nullptr;
    CHECK_EQ(sqlite3_open(p.context.store.c_str(), &db), SQLITE_OK);
    CHECK_EQ(sqlite3_exec(db, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
    refused(ctl::Status::unavailable, "locked", [&] { static_cast<void>(p.stored()); });
    sqlite3_close(db);
    CHECK_EQ(p.stored().size(), std::size_t{1});
}

void a_store_of_a_later_version_is_refused() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    execute(p.context.store, {"UPDATE gate_store SET schema_version = 5"});
    refused(ctl::Status::unavailable, "has version 5, this program knows version 4",
            [&] { static_cast<void>(p.stored()); });
}

void what_is_not_our_store_is_refused() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    write_file(p.context.store, std::string(5000, 'x'), 0600);
    refused(ctl::Status::unavailable, "damaged",
            [&] { static_cast<void>(ctl::list_keys(p.context, false)); });
    p.context.store = p.dir / "a\"b";
    refused(ctl::Status::usage, "quotes", [&] { static_cast<void>(ctl::list_keys(p.context, false)); });
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(a_key_that_was_added_is_in_the_keyring),
        GATE_TEST(adding_again_is_harmless_and_adding_otherwise_is_refused),
        GATE_TEST(a_revoked_key_stays_as_a_tombstone),
        GATE_TEST(names_of_keys),
        GATE_TEST(looking_makes_no_files),
        GATE_TEST(a_publish_that_fails_changes_nothing),
        GATE_TEST(publishing_reads_gate_toml_and_changes_of_keys_do_not),
        GATE_TEST(a_commit_that_fails_takes_an_added_key_out_of_the_keyring),
        GATE_TEST(a_commit_that_fails_does_not_bring_a_revoked_key_back),
        GATE_TEST(a_store_from_an_old_backup_keeps_revocations),
        GATE_TEST(a_damaged_or_missing_keyring_is_replaced),
        GATE_TEST(a_damaged_row_is_not_published),
        GATE_TEST(a_whole_publish_has_all_that_a_change_published),
        GATE_TEST(a_lost_store_is_not_begun_anew),
        GATE_TEST(two_administrators_at_once_lose_nothing),
        GATE_TEST(a_locked_store_is_said_to_be_locked),
        GATE_TEST(modes_are_tight_and_demanded),
        GATE_TEST(a_store_of_version_1_is_upgraded),
        GATE_TEST(a_store_of_version_2_keeps_what_it_knew),
        GATE_TEST(the_history_has_the_whole_of_it),
        GATE_TEST(a_change_of_a_store_that_was_replaced_is_refused),
        GATE_TEST(a_locked_store_of_version_1_stays_one),
        GATE_TEST(a_store_of_a_later_version_is_refused),
        GATE_TEST(what_is_not_our_store_is_refused),
    };
    return cmocka_run_group_tests_name("ctl_store", tests, nullptr, nullptr);
}
