// What becomes of a key that a login hands over: by code, by password, for a rotation; and what the
// administrator does about it.
#include "tests/unit/support.h"
#include "tests/unit/test_ctl_keys.h"
#include "tests/unit/test_ctl_place.h"

#include "gatectl/enrol/code_file.h"
#include "gatectl/enrol/commands.h"
#include "gatectl/enrol/hand_over.h"
#include "gatectl/keys/json.h"
#include "gatectl/problem.h"
#include "gatectl/publish/publish.h"
#include "lib/base/clock.h"
#include "lib/enrol/codes.h"

#include <sqlite3.h>
#include <sys/wait.h>

using namespace gate;
using namespace gate::test;
using enrol::Answer;
using enrol::Reply;
using Kind = enrol::Ticket::Kind;

namespace {

ctl::PasswordState account_password = ctl::PasswordState::locked;
std::string set_password;

struct EnrolPlace : Place {
    static constexpr ctl::Passwords k_fake{
        [](const std::string&) { return account_password; },
        [](const std::string&, const std::string& password) {
            set_password = password;
            account_password = ctl::PasswordState::set;
        },
        [](const std::string&) { account_password = ctl::PasswordState::locked; }};

    EnrolPlace() {
        context.json = true;
        context.passwords = &k_fake;
        account_password = ctl::PasswordState::locked;
        set_password.clear();
        write_file(context.config, "[account]\nuser = \"daemon\"\n");
    }
    void policy_is(const std::string& toml) {
        write_file(context.config, "[account]\nuser = \"daemon\"\n" + toml);
        const bool json = std::exchange(context.json, false);
        static_cast<void>(ctl::publish_command(context));
        context.json = json;
    }
    // The one code that was made, as --json has it.
    ctl::Json code(ctl::CodeRequest request) {
        return ctl::Json::parse(ctl::make_codes(context, request))["codes"][0];
    }
    std::string code_for(const char* agent) { return code({.agents = {agent}})["id"]; }
    Reply send(enrol::Ticket ticket, const Fixture& key, enrol::Wish wish = enrol::Wish::enrol) {
        ctl::Context service = context; // each connection has its own
        return ctl::hand_over(service, {.wish = wish, .session = "s", .ticket = std::move(ticket)}, key.line);
    }
    Reply by_code(const std::string& id, const Fixture& key, const char* peer = "192.0.2.1") {
        return send({Kind::code, id, peer}, key);
    }
    Reply by_password(const Fixture& key, const char* peer = "192.0.2.1") {
        return send({Kind::password, "", peer}, key);
    }
    Reply rotate(const Fixture& from, const Fixture& to) {
        return send({Kind::key, from.fingerprint, "192.0.2.1"}, to, enrol::Wish::rotate);
    }
    [[nodiscard]] enrol::Codes file() const {
        const auto codes = enrol::read_codes(ctl::code_directory(context), context.owner);
        CHECK_OK(codes);
        return *codes;
    }
    ctl::StoredKey stored_key(const Fixture& key) {
        for (const ctl::StoredKey& one : stored())
            if (one.fingerprint == key.fingerprint)
                return one;
        raise(__FILE__, __LINE__, "the key is not there");
    }
    bool has(const Fixture& key) {
        const auto all = stored();
        return std::any_of(all.begin(), all.end(),
                           [&](const ctl::StoredKey& one) { return one.fingerprint == key.fingerprint; });
    }
    std::vector<ctl::PendingKey> pending() {
        ctl::Store store(context.store, context.owner, 0);
        return store.pending();
    }
    void sql(const std::string& statement) const {
        sqlite3* db = nullptr;
        CHECK_EQ(sqlite3_open(context.store.c_str(), &db), SQLITE_OK);
        CHECK_EQ(sqlite3_exec(db, statement.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
        sqlite3_close(db);
    }
};

void a_code_lets_one_key_in_with_its_terms() {
    EnrolPlace p;
    const ctl::Json code =
        p.code({.agents = {"web01", "web02"}, .from = {"192.0.2.0/24"}, .expires = "90d", .note = "rack 3"});
    CHECK_EQ(p.file().codes.size(), std::size_t{1});
    const std::string text = code["code"];
    CHECK_EQ(enrol::find_code(p.file(), text, wall_clock_us() / 1'000'000).value_or(""),
             std::string(code["id"]));
    CHECK(!contains(read_file(p.context.store), text)); // the code itself is nowhere
    CHECK(p.by_code(code["id"], k_ed25519).answer == Answer::accepted);
    const ctl::StoredKey key = p.stored_key(k_ed25519);
    CHECK(key.agents == (std::vector<std::string>{"web01", "web02"}));
    CHECK(key.from == std::vector<std::string>{"192.0.2.0/24"});
    CHECK(key.expires_at != 0 && key.note == "rack 3" && key.approver == "tester");
    CHECK_EQ(key.added_by, "enrolment code " + std::string(code["id"]));
    CHECK(p.find(k_ed25519).has_value()); // published before the answer
    CHECK(p.file().codes.empty());
    // Used up: for the same key the answer is repeated, for another it is over.
    CHECK(p.by_code(code["id"], k_ed25519).answer == Answer::accepted);
    CHECK(p.by_code(code["id"], k_ecdsa256).answer == Answer::refused);
    CHECK(!p.has(k_ecdsa256));
}

void what_is_no_good_code_lets_nothing_in() {
    EnrolPlace p;
    const std::string from = p.code({.agents = {"a"}, .from = {"10.0.0.0/8"}})["id"];
    CHECK(p.by_code(from, k_ed25519, "192.0.2.1").answer == Answer::refused);
    CHECK(p.by_code(from, k_ed25519, "").answer == Answer::refused);
    CHECK(p.by_code("c-none", k_ed25519).answer == Answer::refused);
    const std::string cancelled = p.code_for("a");
    static_cast<void>(ctl::cancel_code(p.context, cancelled));
    CHECK(p.by_code(cancelled, k_ed25519).answer == Answer::refused);
    const std::string expired = p.code_for("a");
    p.sql("UPDATE enrol_code SET expires_at = made_at WHERE id = '" + expired + "'");
    CHECK(p.by_code(expired, k_ed25519).answer == Answer::refused);
    const std::string later = p.code_for("a");
    p.sql("UPDATE enrol_code SET made_at = made_at + 100000, expires_at = expires_at + 100000 WHERE id = '" +
          later + "'");
    CHECK(p.by_code(later, k_ed25519).answer == Answer::refused); // the clock was set back
    CHECK(!p.has(k_ed25519));
    CHECK(p.by_code(from, k_ed25519, "10.1.2.3").answer == Answer::accepted);
}

void a_login_asks_for_what_its_ticket_is_for() {
    EnrolPlace p;
    p.policy_is("[keys]\nrotation = \"auto\"\n");
    static_cast<void>(p.add(k_ed25519, {"a"}));
    const std::string code = p.code_for("a");
    CHECK(p.send({Kind::code, code, ""}, k_ecdsa256, enrol::Wish::rotate).answer == Answer::refused);
    CHECK(p.send({Kind::password, "", ""}, k_ecdsa256, enrol::Wish::rotate).answer == Answer::refused);
    CHECK(p.send({Kind::key, k_ed25519.fingerprint, ""}, k_ecdsa256).answer == Answer::refused);
    CHECK_EQ(p.stored().size(), std::size_t{1});
}

void another_agents_key_is_not_taken_over() {
    EnrolPlace p;
    static_cast<void>(p.add(k_ed25519, {"db"}));
    const std::string code = p.code_for("web");
    CHECK(p.by_code(code, k_ed25519).answer == Answer::refused);
    CHECK(p.stored_key(k_ed25519).agents == std::vector<std::string>{"db"});
    // The code is still good, for a key of its own; beside another of the same agent.
    static_cast<void>(p.add(k_rsa2048, {"web"}));
    CHECK(p.by_code(code, k_ecdsa256).answer == Answer::accepted);
    CHECK_EQ(p.stored_key(k_rsa2048).expires_at, 0);
    // The same agents: nothing changes.
    const std::string again = p.code_for("web");
    CHECK(p.by_code(again, k_ecdsa256).answer == Answer::accepted);
    CHECK_EQ(p.stored().size(), std::size_t{3});
    CHECK(p.by_code(again, k_ecdsa384).answer == Answer::refused); // used up all the same
}

void a_key_that_is_not_good_does_not_become_so() {
    EnrolPlace p;
    static_cast<void>(p.add(k_ed25519, {"web"}, "web"));
    static_cast<void>(ctl::disable_key(p.context, "web", "x"));
    CHECK(p.by_code(p.code_for("web"), k_ed25519).answer == Answer::refused);
    static_cast<void>(ctl::revoke_key(p.context, "web", "a secret reason"));
    const Reply revoked = p.by_code(p.code_for("web"), k_ed25519);
    CHECK(revoked.answer == Answer::refused && !contains(revoked.text, "secret"));
    static_cast<void>(ctl::remove_key(p.context, "web", "x", true));
    CHECK(p.by_code(p.code_for("web"), k_ed25519).answer == Answer::refused);
    CHECK(!p.has(k_ed25519));
    // One that was only removed may come back.
    static_cast<void>(p.add(k_ecdsa256, {"web"}, "two"));
    static_cast<void>(ctl::remove_key(p.context, "two", "x", true));
    CHECK(p.by_code(p.code_for("web"), k_ecdsa256).answer == Answer::accepted);
}

void replace_ends_the_others_after_a_week() {
    EnrolPlace p;
    static_cast<void>(p.add(k_ed25519, {"web", "other"}));
    static_cast<void>(p.add(k_rsa2048, {"db"}));
    const std::string code = p.code({.agents = {"web"}, .replace = true})["id"];
    const std::int64_t before = wall_clock_us() / 1'000'000;
    CHECK(p.by_code(code, k_ecdsa256).answer == Answer::accepted);
    const std::int64_t end = p.stored_key(k_ed25519).expires_at;
    CHECK(end >= before + 7 * 86400 && end <= wall_clock_us() / 1'000'000 + 7 * 86400);
    CHECK_EQ(p.stored_key(k_rsa2048).expires_at, 0);
    CHECK_EQ(p.stored_key(k_ecdsa256).expires_at, 0);
}

void the_policys_terms_hold_for_a_key_that_comes_in() {
    EnrolPlace p;
    p.policy_is("[keys]\ntypes = [\"ed25519\"]\n");
    const std::string code = p.code_for("web");
    CHECK(p.by_code(code, k_rsa2048).answer == Answer::refused);
    CHECK(p.by_code(code, k_rsa1024).answer == Answer::refused);
    CHECK(p.by_code(code, k_certificate).answer == Answer::refused);
    for (const char* line : {"", "x", "ssh-ed25519", "ssh-ed25519 AAAA", "command=\"x\" ssh-ed25519 AAAA"})
        CHECK(p.by_code(code, {line, "", ""}).answer == Answer::refused);
    CHECK(p.stored().empty());
    CHECK(p.by_code(code, k_ed25519).answer == Answer::accepted);
}

void of_two_at_once_one_wins() {
    EnrolPlace p;
    static_cast<void>(p.add(k_rsa2048, {"db"}));
    p.context.store_patience = 10;
    for (int round = 0; round < 5; ++round) {
        const std::string code = p.code_for("web");
        const Fixture* const keys[] = {&k_ecdsa256, &k_ecdsa384};
        pid_t children[2] = {};
        for (int i = 0; i < 2; ++i) {
            children[i] = ::fork();
            if (children[i] == 0)
                ::_exit(p.by_code(code, *keys[i]).answer == Answer::accepted ? 0 : 1);
        }
        int accepted = 0;
        for (const pid_t child : children) {
            int status = 0;
            CHECK_EQ(::waitpid(child, &status, 0), child);
            accepted += WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 1 : 0;
        }
        CHECK_EQ(accepted, 1);
        CHECK(p.has(k_ecdsa256) != p.has(k_ecdsa384));
        p.sql("DELETE FROM history; DELETE FROM pubkey WHERE agents = 'web'");
    }
}

// The ticket of a connection lasts as long as the connection; what an administrator took out stays out.
void a_used_code_puts_no_removed_key_back() {
    EnrolPlace p;
    const std::string id = p.code_for("web");
    CHECK(p.by_code(id, k_ed25519).answer == Answer::accepted);
    CHECK(p.by_code(id, k_ed25519).answer == Answer::accepted); // the answer may have been lost
    static_cast<void>(ctl::remove_key(p.context, k_ed25519.fingerprint, "gone", true));
    CHECK(!p.has(k_ed25519));
    CHECK(p.by_code(id, k_ed25519).answer == Answer::refused);
    CHECK(!p.has(k_ed25519) && !p.find(k_ed25519));
}

void a_door_that_cannot_be_locked_is_shut_all_the_same() {
    EnrolPlace p;
    static_cast<void>(ctl::enrolment_on(p.context, "2h"));
    static constexpr ctl::Passwords k_fails{
        EnrolPlace::k_fake.look, EnrolPlace::k_fake.set,
        [](const std::string&) { ctl::stop(ctl::Status::io, "the file is locked"); }};
    p.context.passwords = &k_fails;
    refused(ctl::Status::io, "is locked", [&] { static_cast<void>(ctl::enrolment_off(p.context)); });
    p.context.passwords = &EnrolPlace::k_fake;
    static_cast<void>(p.code_for("web")); // writes the file of codes from the store
    CHECK(!enrol::is_open(p.file().window, wall_clock_us() / 1'000'000));
    CHECK(p.by_password(k_ed25519).answer == Answer::refused);
    CHECK(ctl::Json::parse(ctl::enrolment_off(p.context))["locked"] == true); // still known as ours
    CHECK(account_password == ctl::PasswordState::locked);
}

// Where the account may send by FTP, the password would be good for packets too.
void no_password_is_made_that_opens_ftp() {
    EnrolPlace p;
    p.policy_is("group = \"daemon\"\n[ftp]\nenabled = true\nuser = \"nobody\"\n");
    refused(ctl::Status::refused, "may send by FTP",
            [&] { static_cast<void>(ctl::enrolment_on(p.context, "2h")); });
    CHECK(set_password.empty() && account_password == ctl::PasswordState::locked);
    account_password = ctl::PasswordState::set; // the administrator's own
    CHECK(ctl::Json::parse(ctl::enrolment_on(p.context, "2h"))["on"] == true);
}

void a_password_lets_a_key_wait_and_no_more() {
    EnrolPlace p;
    static_cast<void>(p.add(k_rsa2048, {"db"}));
    CHECK(p.by_password(k_ed25519).answer == Answer::refused); // it was never on
    const ctl::Json on = ctl::Json::parse(ctl::enrolment_on(p.context, "2h"));
    CHECK(on["on"] == true && on["password"] == set_password && set_password.size() == 29);
    CHECK(enrol::is_open(p.file().window, wall_clock_us() / 1'000'000));
    CHECK(p.by_password(k_ed25519).answer == Answer::pending);
    CHECK(p.by_password(k_ed25519).answer == Answer::pending); // harmless
    CHECK(p.by_password(k_rsa2048).answer == Answer::refused); // there already
    CHECK_EQ(p.pending().size(), std::size_t{1});
    CHECK(!p.has(k_ed25519) && !p.find(k_ed25519));
    CHECK_EQ(ctl::Json::parse(ctl::list_pending(p.context)).size(), std::size_t{1});
    CHECK_EQ(p.context.exit_status, 3);
    refused(ctl::Status::usage, "--agent", [&] { static_cast<void>(ctl::approve_key(p.context, {})); });
    static_cast<void>(ctl::approve_key(p.context, {.agents = {"web"}}));
    CHECK(p.stored_key(k_ed25519).agents == std::vector<std::string>{"web"});
    CHECK(p.find(k_ed25519).has_value() && p.pending().empty());
    static_cast<void>(ctl::enrolment_off(p.context));
    CHECK(account_password == ctl::PasswordState::locked);
    CHECK(p.by_password(k_ecdsa256).answer == Answer::refused);
    CHECK(!enrol::is_open(p.file().window, wall_clock_us() / 1'000'000));
}

void a_password_that_was_there_is_left_alone() {
    EnrolPlace p;
    account_password = ctl::PasswordState::set;
    CHECK(ctl::Json::parse(ctl::enrolment_on(p.context, "2h"))["password"].is_null());
    CHECK(set_password.empty());
    CHECK(ctl::Json::parse(ctl::enrolment_off(p.context))["locked"] == false);
    CHECK(account_password == ctl::PasswordState::set);
    account_password = ctl::PasswordState::empty;
    refused(ctl::Status::refused, "empty password",
            [&] { static_cast<void>(ctl::enrolment_on(p.context, "2h")); });
    for (const char* length : {"0", "8d", "x", ""})
        refused(ctl::Status::usage, "--for",
                [&] { static_cast<void>(ctl::enrolment_on(p.context, length)); });
}

void reject_takes_it_away() {
    EnrolPlace p;
    static_cast<void>(ctl::enrolment_on(p.context, "2h"));
    CHECK(p.by_password(k_ed25519).answer == Answer::pending);
    CHECK(p.by_password(k_ecdsa256).answer == Answer::pending);
    refused(ctl::Status::refused, "2 keys wait",
            [&] { static_cast<void>(ctl::approve_key(p.context, {.agents = {"a"}})); });
    refused(ctl::Status::refused, "waits", [&] { static_cast<void>(ctl::reject_key(p.context, "p-none")); });
    p.context.dry_run = true;
    static_cast<void>(ctl::reject_key(p.context, k_ed25519.fingerprint));
    CHECK_EQ(p.pending().size(), std::size_t{2});
    p.context.dry_run = false;
    static_cast<void>(ctl::reject_key(p.context, k_ed25519.fingerprint));
    CHECK_EQ(p.pending().size(), std::size_t{1});
    CHECK(!p.has(k_ed25519));
}

void what_waits_is_bounded() {
    EnrolPlace p;
    static_cast<void>(ctl::enrolment_on(p.context, "2h"));
    const auto fill = [&](int count, const char* site, std::int64_t age) {
        p.sql(fmt::format(
            "DELETE FROM pending_key; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE "
            "i < {}) INSERT INTO pending_key (fingerprint, id, type, blob, site, asked_at) SELECT 'f' || "
            "i, 'p-' || i, 't', 'b', '{}', {} FROM n",
            count, site, wall_clock_us() / 1'000'000 - age));
    };
    fill(5, "192.0.2.1", 0);
    CHECK(p.by_password(k_ed25519).answer == Answer::refused);
    CHECK(p.by_password(k_ed25519, "192.0.2.2").answer == Answer::pending);
    fill(5, "2001:db8::/64", 0);
    CHECK(p.by_password(k_ed25519, "2001:db8::7").answer == Answer::refused);
    fill(5, "192.0.2.1", 3600);
    CHECK(p.by_password(k_ed25519).answer == Answer::pending);
    fill(1000, "x", 7200);
    CHECK(p.by_password(k_ed25519).answer == Answer::refused);
    fill(999, "x", 7200);
    CHECK(p.by_password(k_ed25519).answer == Answer::pending);
}

void an_agent_rotates_its_own_key() {
    EnrolPlace p;
    static_cast<void>(ctl::add_key(p.context, {.key = k_ed25519.line,
                                               .agents = {"web"},
                                               .note = "n",
                                               .id = "web",
                                               .binding = "observe",
                                               .from = {"192.0.2.0/24"},
                                               .limits = {.quota_files = "5"}}));
    CHECK(p.rotate(k_ed25519, k_ecdsa256).answer == Answer::refused); // off
    p.policy_is("[keys]\nrotation = \"auto\"\n");
    CHECK(p.rotate(k_ed25519, k_ed25519).answer == Answer::refused); // its own
    CHECK(p.rotate(k_ed25519, k_ecdsa256).answer == Answer::accepted);
    const ctl::StoredKey now = p.stored_key(k_ecdsa256);
    const ctl::StoredKey old = p.stored_key(k_ed25519);
    CHECK(now.agents == old.agents && now.from == old.from && now.limits == old.limits &&
          now.binding == "observe" && now.note == "n");
    CHECK_EQ(now.added_by, "rotation by the agent");
    CHECK_EQ(now.expires_at, 0);
    CHECK(old.expires_at > wall_clock_us() / 1'000'000 + 7 * 86400 - 60);
    CHECK(p.rotate(k_ed25519, k_ecdsa256).answer == Answer::accepted); // the answer was lost
    CHECK_EQ(p.stored().size(), std::size_t{2});
    // Not in a loop: neither by the old one nor by the new one.
    CHECK(p.rotate(k_ed25519, k_ecdsa384).answer == Answer::refused);
    CHECK(p.rotate(k_ecdsa256, k_ecdsa384).answer == Answer::refused);
    p.sql("UPDATE history SET at = at - 3600");
    CHECK(p.rotate(k_ecdsa256, k_ecdsa384).answer == Answer::accepted);
    p.sql("UPDATE history SET at = at - 3600");
    CHECK(p.rotate(k_ecdsa384, k_ecdsa521).answer == Answer::accepted);
    p.sql("UPDATE history SET at = at - 3600");
    CHECK(p.rotate(k_ecdsa521, k_rsa2048).answer == Answer::refused); // three that are good are enough
}

void a_rotation_puts_no_end_off() {
    EnrolPlace p;
    p.policy_is("[keys]\nrotation = \"auto\"\n");
    static_cast<void>(ctl::add_key(
        p.context,
        {.key = k_ed25519.line, .agents = {"web"}, .note = {}, .id = {}, .binding = {}, .expires = "3d"}));
    const std::int64_t end = p.stored_key(k_ed25519).expires_at;
    CHECK(p.rotate(k_ed25519, k_ecdsa256).answer == Answer::accepted);
    CHECK_EQ(p.stored_key(k_ecdsa256).expires_at, end);
    CHECK_EQ(p.stored_key(k_ed25519).expires_at, end);
}

void a_key_that_is_not_good_rotates_nothing() {
    EnrolPlace p;
    p.policy_is("[keys]\nrotation = \"auto\"\n");
    static_cast<void>(p.add(k_ed25519, {"web"}, "web"));
    static_cast<void>(p.add(k_rsa2048, {"db"}, "db"));
    CHECK(p.rotate(k_ed25519, k_rsa2048).answer == Answer::refused); // another agent's
    static_cast<void>(ctl::disable_key(p.context, "web", "x"));
    CHECK(p.rotate(k_ed25519, k_ecdsa256).answer == Answer::refused);
    static_cast<void>(ctl::enable_key(p.context, "web", "x"));
    static_cast<void>(ctl::revoke_key(p.context, "db", "x"));
    CHECK(p.rotate(k_ed25519, k_rsa2048).answer == Answer::refused); // a revoked one as the new one
    CHECK(p.rotate(k_rsa2048, k_ecdsa256).answer == Answer::refused);
    CHECK(p.rotate(k_ecdsa521, k_ecdsa256).answer == Answer::refused); // nobody's
    CHECK(!p.has(k_ecdsa256));
    CHECK(p.rotate(k_ed25519, k_ecdsa256).answer == Answer::accepted);
}

void a_rotation_may_wait_for_the_administrator() {
    EnrolPlace p;
    p.policy_is("[keys]\nrotation = \"pending\"\n");
    static_cast<void>(p.add(k_ed25519, {"web"}, "web"));
    CHECK(p.rotate(k_ed25519, k_ecdsa256).answer == Answer::pending);
    CHECK(p.rotate(k_ed25519, k_ecdsa256).answer == Answer::pending);
    CHECK(p.rotate(k_ed25519, k_ecdsa384).answer == Answer::refused); // one at a time
    CHECK(!p.has(k_ecdsa256));
    refused(ctl::Status::usage, "agents",
            [&] { static_cast<void>(ctl::approve_key(p.context, {.agents = {"root"}})); });
    static_cast<void>(ctl::approve_key(p.context, {}));
    CHECK(p.stored_key(k_ecdsa256).agents == std::vector<std::string>{"web"});
    CHECK(p.stored_key(k_ed25519).expires_at != 0);
    // The old one is revoked meanwhile: the new one is nobody's successor.
    p.sql("UPDATE history SET at = at - 3600");
    CHECK(p.rotate(k_ecdsa256, k_ecdsa384).answer == Answer::pending);
    static_cast<void>(ctl::revoke_key(p.context, p.stored_key(k_ecdsa256).id, "x"));
    refused(ctl::Status::refused, "not active", [&] { static_cast<void>(ctl::approve_key(p.context, {})); });
}

void many_codes_from_a_table() {
    EnrolPlace p;
    std::string table = "agent,expires,from\n";
    for (int i = 0; i < 500; ++i)
        table += fmt::format("host{},90d,10.0.0.0/8\n", i);
    write_file(p.dir / "t.csv", table);
    const ctl::Json made = ctl::Json::parse(ctl::make_codes(p.context, {.csv = p.dir / "t.csv"}));
    CHECK_EQ(made["codes"].size(), std::size_t{500});
    CHECK_EQ(p.file().codes.size(), std::size_t{500});
    CHECK(p.by_code(made["codes"][499]["id"], k_ed25519, "10.0.0.1").answer == Answer::accepted);
    CHECK_EQ(p.file().codes.size(), std::size_t{499});
    CHECK(p.stored_key(k_ed25519).agents == std::vector<std::string>{"host499"});
    for (const auto& [text, words] : {std::pair{"agent\n\x01x\n", "line 2"},
                                      {"key,agent\nx,y\n", "no column"},
                                      {"from\n::1\n", "column agent is missing"},
                                      {"agent\n", "no agent"},
                                      {"agent,from\na,nowhere\n", "line 2"}}) {
        write_file(p.dir / "t.csv", text);
        refused(ctl::Status::bad_data, words,
                [&] { static_cast<void>(ctl::make_codes(p.context, {.csv = p.dir / "t.csv"})); });
    }
    CHECK_EQ(p.file().codes.size(), std::size_t{499}); // all or none
}

void what_people_are_told() {
    EnrolPlace p;
    p.context.json = false;
    p.context.columns = 80;
    const std::string made = ctl::make_codes(p.context, {.agents = {"web01"}});
    CHECK(contains(made, "for agent \"web01\", good until "));
    CHECK(contains(ctl::list_codes(p.context), "open"));
    CHECK_EQ(ctl::enrolment_status(p.context),
             "enrolment by password is off\n1 code is good now\n0 keys wait\n");
    CHECK(contains(ctl::enrolment_on(p.context, "1h"), "password of daemon, shown this once: "));
    CHECK(contains(ctl::enrolment_off(p.context), "locked again"));
    CHECK_EQ(ctl::enrolment_off(p.context), "enrolment by password is not on, nothing changed\n");
    refused(ctl::Status::usage, "--agent", [&] { static_cast<void>(ctl::make_codes(p.context, {})); });
    for (const char* length : {"0", "31d", "x"})
        refused(ctl::Status::usage, "--for", [&] {
            static_cast<void>(ctl::make_codes(p.context, {.agents = {"a"}, .duration = length}));
        });
    p.context.dry_run = true;
    CHECK(contains(ctl::make_codes(p.context, {.agents = {"a"}}), "dry run: nothing was changed"));
    CHECK(contains(ctl::enrolment_on(p.context, "1h"), "dry run: nothing was changed"));
    CHECK_EQ(p.file().codes.size(), std::size_t{1});
    CHECK(account_password == ctl::PasswordState::locked);
}

void a_store_of_version_3_gets_the_tables() {
    EnrolPlace p;
    static_cast<void>(p.add(k_ed25519, {"web"}));
    p.sql("DROP TABLE enrolment; DROP TABLE enrol_code; DROP TABLE pending_key; "
          "UPDATE gate_store SET schema_version = 3");
    CHECK(p.stored_key(k_ed25519).agents == std::vector<std::string>{"web"});
    CHECK(p.by_code(p.code_for("db"), k_ecdsa256).answer == Answer::accepted);
    CHECK(p.has(k_ed25519) && p.has(k_ecdsa256));
}

// The first one publishes a keyring: where that fails nothing is opened, and no code is good that nobody was
// told.
void nothing_is_opened_without_a_keyring() {
    EnrolPlace p;
    write_file(p.dir / "file", "");
    p.context.keyring = p.dir / "file/keyring";
    refused(ctl::Status::cant_create, "", [&] { static_cast<void>(p.code_for("web01")); });
    refused(ctl::Status::cant_create, "", [&] { static_cast<void>(ctl::enrolment_on(p.context, "2h")); });
    p.context.keyring = p.dir / "keyring";
    {
        ctl::Store store(p.context.store, p.context.owner, 0);
        const ctl::Store::Transaction transaction(store, ctl::Store::Transaction::Kind::read);
        CHECK(store.codes().empty());
        CHECK_EQ(store.enrolment().window_until, 0);
    }
    CHECK(set_password.empty());
    static_cast<void>(p.code_for("web01"));
    CHECK_EQ(p.header().generation, 1U);
}

} // namespace

int main() {
    ::umask(077); // as the program
    const CMUnitTest tests[] = {
        GATE_TEST(a_code_lets_one_key_in_with_its_terms),
        GATE_TEST(what_is_no_good_code_lets_nothing_in),
        GATE_TEST(a_login_asks_for_what_its_ticket_is_for),
        GATE_TEST(another_agents_key_is_not_taken_over),
        GATE_TEST(a_key_that_is_not_good_does_not_become_so),
        GATE_TEST(replace_ends_the_others_after_a_week),
        GATE_TEST(the_policys_terms_hold_for_a_key_that_comes_in),
        GATE_TEST(of_two_at_once_one_wins),
        GATE_TEST(a_used_code_puts_no_removed_key_back),
        GATE_TEST(a_door_that_cannot_be_locked_is_shut_all_the_same),
        GATE_TEST(no_password_is_made_that_opens_ftp),
        GATE_TEST(a_password_lets_a_key_wait_and_no_more),
        GATE_TEST(a_password_that_was_there_is_left_alone),
        GATE_TEST(reject_takes_it_away),
        GATE_TEST(what_waits_is_bounded),
        GATE_TEST(an_agent_rotates_its_own_key),
        GATE_TEST(a_rotation_puts_no_end_off),
        GATE_TEST(a_key_that_is_not_good_rotates_nothing),
        GATE_TEST(a_rotation_may_wait_for_the_administrator),
        GATE_TEST(many_codes_from_a_table),
        GATE_TEST(what_people_are_told),
        GATE_TEST(a_store_of_version_3_gets_the_tables),
        GATE_TEST(nothing_is_opened_without_a_keyring),
    };
    return cmocka_run_group_tests_name("ctl_enrol", tests, nullptr, nullptr);
}
