// `keys import`: all or nothing, and what became of each key is counted.
#include "tests/unit/support.h"
#include "tests/unit/test_ctl_keys.h"
#include "tests/unit/test_ctl_place.h"

#include "gatectl/handover.h"
#include "gatectl/keys/import.h"
#include "gatectl/keys/known.h"
#include "gatectl/keys/public_key.h"
#include "gatectl/publish/publish.h"

#include <algorithm>

using namespace gate;
using namespace gate::test;

namespace {

using ctl::AgentFrom;

// The n-th of as many Ed25519 keys as a test wants.
[[nodiscard]] std::string made_key(std::size_t n, std::string_view comment = {}) {
    std::string blob{0, 0, 0, 11};
    blob += "ssh-ed25519" + std::string{0, 0, 0, 32} + std::string(24, 'k');
    for (int i = 0; i < 8; ++i)
        blob += static_cast<char>(n >> (8 * i));
    return fmt::format("ssh-ed25519 {} {}\n", base64_encode(as_bytes(blob)), comment);
}

struct ImportPlace : Place {
    std::string import(const std::string& text, AgentFrom from = AgentFrom::comment, bool csv = false,
                       bool skip_bad = false) {
        write_file(dir / "keys", text);
        return ctl::import_keys(context,
                                {.sources = {.files = {dir / "keys"}, .csv = csv, .agent_from = from},
                                 .binding = {},
                                 .skip_bad = skip_bad});
    }
    [[nodiscard]] ctl::StoredKey key_of(const std::string& agent) {
        for (ctl::StoredKey& key : stored())
            if (key.agents == std::vector{agent})
                return std::move(key);
        raise(__FILE__, __LINE__, "no key of " + agent);
    }
};

void lines_of_authorized_keys() {
    ImportPlace p;
    const std::string out = p.import(
        "# agents\n\n" + made_key(1, "web01") +
        "from=\"192.0.2.0/24,2001:db8::1\",expiry-time=\"20370101000000Z\",command=\"/bin/x\",no-pty " +
        made_key(2, "db 01") + "command=\"y\",restrict " + made_key(3));
    CHECK_EQ(
        out,
        std::string("imported 3 keys: 2 bound, 1 learning; skipped 0: 0 already there, 0 revoked, 0 removed "
                    "before, 0 bad\n"
                    "  the option command of 2 keys has no place here: the gate decides what a key may do\n"
                    "  the option no-pty of 1 key has no place here: the gate decides what a key may do\n"
                    "published generation 1: 3 keys active, 0 revoked\n"));
    const auto db = p.key_of("db 01");
    CHECK(db.from == std::vector<std::string>({"192.0.2.0/24", "2001:db8::1"}));
    CHECK_EQ(db.expires_at, std::int64_t{2'114'380'800});
    CHECK_EQ(db.binding, std::string("observe")); // a fleet is moved without losing a packet
    CHECK_EQ(db.note, std::string("db 01"));
    CHECK_EQ(db.added_by, std::string("tester"));
    CHECK(p.reader().find(*keyring::parse_fingerprint(db.fingerprint))->value().from == db.from);
}

void the_policys_own_binding_is_left_alone() {
    ImportPlace p;
    write_file(p.context.config, "[binding]\ndefault = \"enforce\"\n");
    static_cast<void>(ctl::publish_command(p.context));
    static_cast<void>(p.import(made_key(1, "web01")));
    CHECK_EQ(p.key_of("web01").binding, std::string());
}

void all_or_nothing() {
    ImportPlace p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    const std::string keyring = read_file(p.context.keyring);
    for (const std::string bad :
         {"ssh-dss AAAA x", "ssh-ed25519 AAAA", "from=\"10.0.0.1/8\" ssh-ed25519 AAAA",
          "-----BEGIN OPENSSH PRIVATE KEY-----"}) {
        refused(ctl::Status::bad_data, "/keys:3: ", [&] {
            static_cast<void>(p.import(made_key(1, "x") + made_key(2, "y") + bad + '\n'));
        });
        CHECK_EQ(p.stored().size(), std::size_t{1});
        CHECK_EQ(read_file(p.context.keyring), keyring);
    }
    const std::string out =
        p.import(made_key(1, "x") + "ssh-ed25519 AAAA\n" + made_key(2, "y"), AgentFrom::comment, false, true);
    CHECK(contains(out,
                   "imported 2 keys: 2 bound, 0 learning; skipped 1: 0 already there, 0 revoked, 0 removed "
                   "before, 1 bad"));
    CHECK(contains(p.context.remarks.back(), "/keys:2: skipped: "));
}

void importing_again_changes_nothing() {
    ImportPlace p;
    const std::string text = made_key(1, "a") + made_key(2, "b");
    static_cast<void>(p.import(text));
    const auto keys = p.stored();
    CHECK(contains(p.import(text), "imported 0 keys: 0 bound, 0 learning; skipped 2: 2 already there"));
    CHECK(p.stored() == keys);
    CHECK_EQ(p.header().generation, std::uint64_t{1});
    static_cast<void>(ctl::revoke_key(p.context, "a-", "lost"));
    CHECK(contains(p.import(text + made_key(3, "c")),
                   "imported 1 key: 1 bound, 0 learning; skipped 2: 1 already "
                   "there, 1 revoked"));
    CHECK(p.key_of("a").revoked()); // and stays so
}

void the_same_key_twice() {
    ImportPlace p;
    CHECK(contains(p.import(made_key(1, "a") + made_key(1, "a")),
                   "imported 1 key: 1 bound, 0 learning; skipped 1"));
    refused(ctl::Status::bad_data, "/keys:3: this key stands on line 1 already, with another agent",
            [&] { static_cast<void>(p.import(made_key(2, "a") + made_key(3, "b") + made_key(2, "c"))); });
}

void a_directory_names_its_agents() {
    ImportPlace p;
    const std::string directory = p.dir / "pubs";
    CHECK_EQ(::mkdir(directory.c_str(), 0700), 0);
    write_file(directory + "/web01.pub", made_key(1, "root@somewhere"));
    write_file(directory + "/db 02", made_key(2));
    write_file(directory + "/.hidden", "nonsense");
    const auto import = [&] {
        return ctl::import_keys(
            p.context, {.sources = {.files = {directory}, .csv = false, .agent_from = AgentFrom::nothing},
                        .binding = "enforce",
                        .skip_bad = false});
    };
    CHECK(contains(import(), "imported 2 keys: 2 bound"));
    CHECK_EQ(p.key_of("web01").note, std::string("root@somewhere"));
    CHECK_EQ(p.key_of("web01").binding, std::string("enforce"));
    CHECK_EQ(p.key_of("db 02").agents.size(), std::size_t{1});
    write_file(directory + "/x*y.pub", made_key(3)); // a pattern that no administrator typed
    refused(ctl::Status::bad_data, "x*y.pub:1: \"x*y\" cannot be taken for the name of an agent",
            [&] { static_cast<void>(import()); });
    refused(ctl::Status::bad_data, "cannot be taken", [&] { static_cast<void>(p.import(made_key(4, "*"))); });
    CHECK(contains(p.import("agent,key\n*," + made_key(4), AgentFrom::nothing, true),
                   "1 bound")); // the control
    write_file(directory + "/broken.pub", "nonsense\n");
    refused(ctl::Status::bad_data, "/pubs/broken.pub:1: ", [&] { static_cast<void>(import()); });
}

void a_table() {
    ImportPlace p;
    std::string key = made_key(7);
    key.pop_back();
    const std::string out = p.import("agent,key,from,expires,note\r\n"
                                     "web01;web02," +
                                         key + ",10.0.0.0/8;::1,2037-01-01,\"a, b\"\r\n",
                                     AgentFrom::nothing, true);
    CHECK(contains(out, "imported 1 key: 1 bound"));
    const auto stored = p.stored().front();
    CHECK(stored.agents == std::vector<std::string>({"web01", "web02"}));
    CHECK(stored.from == std::vector<std::string>({"10.0.0.0/8", "::1"}));
    CHECK_EQ(stored.expires_at, std::int64_t{2'114'380'800});
    CHECK_EQ(stored.note, std::string("a, b"));
    refused(ctl::Status::bad_data, "/keys:3: ", [&] {
        static_cast<void>(
            p.import("key,agent\n" + key + ",web01\nssh-rsa x,web02\n", AgentFrom::nothing, true));
    });
    refused(ctl::Status::bad_data, "/keys: line 1: ", [&] {
        static_cast<void>(p.import("key,colour\n", AgentFrom::nothing, true));
    });
}

// Both hold: the earlier end, and of networks there is no saying which.
void a_table_of_keys_with_options() {
    for (const auto& [option, column, end] :
         {std::tuple{"20370101000000Z", "2038-01-01", std::int64_t{2'114'380'800}},
          std::tuple{"20380101000000Z", "2037-01-01", std::int64_t{2'114'380'800}},
          std::tuple{"20370101000000Z", "", std::int64_t{2'114'380'800}}}) {
        ImportPlace p;
        std::string key = made_key(7);
        key.pop_back();
        static_cast<void>(p.import(
            fmt::format("agent,expires,key\na,{},\"expiry-time=\"\"{}\"\" {}\"\n", column, option, key),
            AgentFrom::nothing, true));
        CHECK_EQ(p.key_of("a").expires_at, end);
        refused(ctl::Status::bad_data, "/keys:2: the key has from= and the table a column from", [&] {
            static_cast<void>(p.import(fmt::format("from,key\n::1,\"from=\"\"::1\"\" {}\"\n", key),
                                       AgentFrom::nothing, true));
        });
    }
}

void what_cannot_be_read_is_said() {
    ImportPlace p;
    const auto import = [&p](const std::string& file) {
        return ctl::import_keys(p.context,
                                {.sources = {.files = {file}, .csv = false, .agent_from = AgentFrom::nothing},
                                 .binding = {},
                                 .skip_bad = true});
    };
    refused(ctl::Status::no_input, "/missing: ", [&] { static_cast<void>(import(p.dir / "missing")); });
    CHECK(contains(import("/dev/null"), "imported 0 keys"));
    CHECK(::access(p.context.keyring.c_str(), F_OK) == 0); // the first one, without keys
}

void a_dry_run_imports_nothing() {
    ImportPlace p;
    p.context.dry_run = true;
    CHECK(contains(p.import(made_key(1, "a")), "imported 1 key: 1 bound"));
    CHECK(p.stored().empty());
    CHECK(::access(p.context.keyring.c_str(), F_OK) != 0);
}

// More than the store has, so that its indexes are made anew.
void many() {
    constexpr std::size_t k_many = 30'000;
    ImportPlace p;
    std::string text;
    for (std::size_t i = 0; i < k_many; ++i)
        text += made_key(i, fmt::format("agent{}", i));
    CHECK(contains(p.import(text), fmt::format("imported {0} keys: {0} bound", k_many)));
    CHECK_EQ(p.header().key_count, std::uint64_t{k_many});
    CHECK_EQ(p.stored().size(), k_many);
    CHECK(contains(ctl::show_key(p.context, "agent29999-", false), "import by tester: "));
    CHECK(contains(ctl::revoke_key(p.context, "agent777-", "lost"),
                   fmt::format("{} keys active, 1 revoked", k_many - 1)));
    refused(ctl::Status::bad_data, fmt::format("/keys:{}: ", k_many + 1),
            [&] { static_cast<void>(p.import(text + "nonsense\n")); });
    CHECK(contains(p.import(text + made_key(k_many, "one more")),
                   fmt::format("imported 1 key: 1 bound, 0 learning; skipped {}: {} already there, 1 revoked",
                               k_many, k_many - 1)));
    // The indexes are there and unique.
    ctl::Store store(p.context.store, p.context.owner, 0);
    const ctl::Store::Transaction transaction(store, ctl::Store::Transaction::Kind::write);
    auto twice = *store.find_id(p.key_of("agent5").id);
    twice.id = "another";
    refused(ctl::Status::unavailable, "UNIQUE", [&] { store.insert(twice, {}); });
}

void what_is_known_survives_growing() {
    Place p;
    ctl::Store store(p.context.store, p.context.owner, 0);
    const ctl::Store::Transaction transaction(store, ctl::Store::Transaction::Kind::read);
    ctl::Known known(store, 0);
    constexpr std::size_t k_many = 20'000;
    const auto fingerprint = [](std::size_t n) {
        keyring::Fingerprint fp{};
        fp[0] = 1; // many share their first places
        fp[8] = static_cast<std::uint8_t>(n);
        fp[9] = static_cast<std::uint8_t>(n >> 8);
        return fp;
    };
    for (std::size_t i = 0; i < k_many; ++i) {
        CHECK(known.find(fingerprint(i)).what == ctl::Known::What::nothing);
        known.remember(fingerprint(i), ctl::Known::What::imported, i, i + 1);
        CHECK(known.take_id(std::to_string(i)));
    }
    for (std::size_t i = 0; i < k_many; i += 97) {
        CHECK_EQ(known.find(fingerprint(i)).settings, std::uint64_t{i + 1});
        CHECK(!known.take_id(std::to_string(i)));
    }
}

void a_failure_of_the_other_thread_comes_out() {
    std::size_t done = 0;
    const auto run = [&done](std::size_t bad) {
        done = 0;
        ctl::Handover<std::size_t> over([&](std::size_t& n) {
            if (n == bad)
                throw std::runtime_error("bad");
            CHECK_EQ(n, done);
            ++done;
        });
        for (std::size_t i = 0; i < 5000; ++i) {
            std::size_t n = i;
            over.put(n);
        }
        over.finish();
    };
    run(SIZE_MAX);
    CHECK_EQ(done, std::size_t{5000});
    for (const std::size_t bad : {std::size_t{0}, std::size_t{511}, std::size_t{512}, std::size_t{4999}}) {
        bool thrown = false;
        try {
            run(bad);
        } catch (const std::runtime_error&) {
            thrown = true;
        }
        CHECK(thrown);
        CHECK_EQ(done, bad);
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(lines_of_authorized_keys),
        GATE_TEST(the_policys_own_binding_is_left_alone),
        GATE_TEST(all_or_nothing),
        GATE_TEST(importing_again_changes_nothing),
        GATE_TEST(the_same_key_twice),
        GATE_TEST(a_directory_names_its_agents),
        GATE_TEST(a_table),
        GATE_TEST(a_table_of_keys_with_options),
        GATE_TEST(what_cannot_be_read_is_said),
        GATE_TEST(a_dry_run_imports_nothing),
        GATE_TEST(many),
        GATE_TEST(what_is_known_survives_growing),
        GATE_TEST(a_failure_of_the_other_thread_comes_out),
    };
    return cmocka_run_group_tests_name("ctl_import", tests, nullptr, nullptr);
}
