// Looking at keys: filters, the past, last use, tables, and the forms for other programs.
#include "tests/unit/support.h"
#include "tests/unit/test_ctl_keys.h"
#include "tests/unit/test_ctl_place.h"

#include "gatectl/table.h"
#include "gatectl/terminal.h"
#include "lib/base/clock.h"
#include "lib/spool/memory.h"

#include <nlohmann/json.hpp>
#include <sqlite3.h>
#include <sys/ioctl.h>

using namespace gate;
using namespace gate::test;

namespace {

constexpr std::int64_t k_day = 24 * 3600;

std::int64_t now() {
    return wall_clock_us() / 1'000'000;
}

void execute(const Place& p, const std::string& sql) {
    sqlite3* db = nullptr;
    CHECK_EQ(sqlite3_open(p.context.store.c_str(), &db), SQLITE_OK);
    char* message = nullptr;
    const int status = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &message);
    CHECK_MSG(status == SQLITE_OK, message != nullptr ? message : sql);
    sqlite3_close(db);
}

struct ListPlace : Place {
    void used(const Fixture& key, std::int64_t when) {
        std::filesystem::create_directory(ctl::memory_directory(context));
        const std::string file = ctl::memory_directory(context) + '/' +
                                 spool::memory_name(*keyring::parse_fingerprint(key.fingerprint));
        write_file(file, "");
        const timespec times[2] = {{when, 0}, {when, 0}};
        CHECK_EQ(::utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
    }
    // The ids that are listed, with a blank behind each.
    std::string listed(const ctl::ListRequest& request) {
        std::string out;
        for (const auto& key : nlohmann::json::parse(ctl::list_keys(context, true, request)))
            out += key["id"].get<std::string>() + ' ';
        return out;
    }
    nlohmann::json at(const std::string& when) {
        return nlohmann::json::parse(ctl::list_keys(context, true, {.states = k_all, .at = when}));
    }
    const std::vector<std::string> k_all = {"active",   "expired", "not-yet-valid",
                                            "disabled", "revoked", "removed"};
    void set(const std::string& key, ctl::SetRequest request) {
        request.key = key;
        static_cast<void>(ctl::set_key(context, request));
    }
};

void filters() {
    ListPlace p;
    static_cast<void>(p.add(k_ed25519, {"web01"}, "good"));
    static_cast<void>(p.add(k_rsa2048, {"web*", "db"}, "ended"));
    static_cast<void>(p.add(k_ecdsa256, {"edge"}, "later"));
    static_cast<void>(p.add(k_ecdsa384, {"web01"}, "off"));
    static_cast<void>(p.add(k_ecdsa521, {}, "gone"));
    ctl::SetRequest later;
    later.not_before = "10d";
    later.expires = "20d";
    p.set("later", later);
    static_cast<void>(ctl::disable_key(p.context, "off", "x"));
    static_cast<void>(ctl::revoke_key(p.context, "gone", "x"));
    static_cast<void>(ctl::remove_key(p.context, "gone", "x", false));
    execute(p, fmt::format("UPDATE pubkey SET expires_at = {} WHERE id = 'ended'", now() - 5));

    CHECK_EQ(p.listed({}), std::string("good ended later off "));
    CHECK_EQ(p.listed({.states = {"removed"}}), std::string("gone "));
    CHECK_EQ(p.listed({.states = {"active", "disabled"}}), std::string("good off "));
    CHECK_EQ(p.listed({.states = {"expired"}}), std::string("ended "));
    CHECK_EQ(p.listed({.states = {"not-yet-valid"}}), std::string("later "));
    CHECK_EQ(p.listed({.states = {"revoked"}}), std::string());
    CHECK_EQ(p.listed({.agent = "web01"}), std::string("good ended off "));
    CHECK_EQ(p.listed({.agent = "web7"}), std::string("ended "));
    CHECK_EQ(p.listed({.agent = "*e*"}), std::string("good ended later off "));
    CHECK_EQ(p.listed({.agent = "e*"}), std::string("later "));
    CHECK_EQ(p.listed({.agent = "web"}), std::string("ended ")); // web* stands for it
    CHECK_EQ(p.listed({.type = "ecdsa"}), std::string("later off "));
    CHECK_EQ(p.listed({.type = "ecdsa-sha2-nistp384"}), std::string("off "));
    CHECK_EQ(p.listed({.type = "rsa"}), std::string("ended "));
    CHECK_EQ(p.listed({.expiring_within = "19d"}), std::string());
    CHECK_EQ(p.listed({.expiring_within = "21d"}), std::string("later "));
    CHECK_EQ(p.listed({.agent = "web01", .type = "ed25519"}), std::string("good "));
    refused(ctl::Status::usage, "--state is active",
            [&] { static_cast<void>(p.listed({.states = {"ok"}})); });
    refused(ctl::Status::usage, "--type is ed25519", [&] { static_cast<void>(p.listed({.type = "dsa"})); });
    refused(ctl::Status::usage, "--unused-for: '2027-01-01' is a date",
            [&] { static_cast<void>(p.listed({.unused_for = "2027-01-01"})); });
    refused(ctl::Status::usage, "--at: 'then' is no time",
            [&] { static_cast<void>(p.listed({.at = "then"})); });
}

void last_use_is_the_time_of_the_memory_file() {
    ListPlace p;
    static_cast<void>(p.add(k_ed25519, {"a"}, "a"));
    static_cast<void>(p.add(k_rsa2048, {"b"}, "b"));
    static_cast<void>(p.add(k_ecdsa256, {"c"}, "c"));
    CHECK_EQ(p.listed({.unused_for = "1d"}), std::string()); // never used, but just added
    execute(p, fmt::format("UPDATE pubkey SET added_at = {}", now() - 100 * k_day));
    CHECK_EQ(p.listed({.unused_for = "90d"}), std::string("a b c ")); // no directory: no use
    p.used(k_ed25519, now() - 89 * k_day);
    p.used(k_rsa2048, now() - 91 * k_day);
    write_file(ctl::memory_directory(p.context) + "/backlog", "");
    write_file(ctl::memory_directory(p.context) + "/k-zz", "");
    CHECK_EQ(p.listed({.unused_for = "90d"}), std::string("b c "));
    p.used(k_ed25519, 1'700'000'000);
    const auto json = nlohmann::json::parse(ctl::list_keys(p.context, true));
    CHECK_EQ(json[0]["last_use"].get<std::string>(), std::string("2023-11-14T22:13:20Z"));
    CHECK(json[2]["last_use"].is_null());
    CHECK(contains(ctl::list_keys(p.context, false), "a   active  -        2023-11-14  a\n"));
    CHECK(contains(ctl::show_key(p.context, "a", false), "last use     2023-11-14T22:13:20Z\n"));
    CHECK(contains(ctl::show_key(p.context, "c", false), "last use     never\n"));
}

// The history of one key, day by day.
void the_past_and_the_future() {
    ListPlace p;
    static_cast<void>(p.add(k_ed25519, {"web01"}, "web")); // day 1
    ctl::SetRequest terms;
    terms.from = std::vector<std::string>{"127.0.0.1"};
    terms.agents = std::vector<std::string>{"se\xc3\xb1or"};
    terms.limits.quota_files = "7";
    p.set("web", terms);                                             // day 2
    static_cast<void>(ctl::disable_key(p.context, "web", "look"));   // day 3
    static_cast<void>(ctl::enable_key(p.context, "web", ""));        // day 4
    static_cast<void>(ctl::remove_key(p.context, "web", "x", true)); // day 5
    static_cast<void>(p.add(k_ed25519, {"db"}));                     // day 6
    ctl::SetRequest ends;
    ends.expires = "2099-01-31";
    p.set("web", ends);                                             // day 7
    static_cast<void>(ctl::revoke_key(p.context, "web", "stolen")); // day 8
    execute(p, "UPDATE history SET at = 1700000000 + seq * 86400;"  // 2023-11-14T22:13:20Z
               "UPDATE pubkey SET added_at = 1700000000 + 6 * 86400, state_at = 1700000000 + 8 * 86400");
    const auto day = [&p](int n) { return p.at(fmt::format("2023-11-{}T22:13:20Z", 14 + n)); };
    const auto state = [&day](int n) { return day(n)[0]["state"].get<std::string>(); };
    CHECK(p.at("2023-11-15T22:13:19Z").empty());
    CHECK_EQ(state(1), std::string("active"));
    CHECK(day(1)[0]["from"].empty());
    CHECK_EQ(day(1)[0]["agents"][0]["name"].get<std::string>(), std::string("web01"));
    CHECK(day(1)[0]["quota_files"].is_null());
    CHECK_EQ(state(2), std::string("active"));
    CHECK_EQ(day(2)[0]["from"][0].get<std::string>(), std::string("127.0.0.1"));
    CHECK_EQ(day(2)[0]["agents"][0]["md5"].get<std::string>(),
             std::string("528059d6e5084feff6cbb1d11dbb19ee"));
    CHECK_EQ(day(2)[0]["quota_files"].get<int>(), 7);
    CHECK_EQ(state(3), std::string("disabled"));
    CHECK_EQ(day(3)[0]["state_reason"].get<std::string>(), std::string("look"));
    CHECK_EQ(state(4), std::string("active"));
    CHECK_EQ(state(5), std::string("removed"));
    CHECK_EQ(state(6), std::string("active"));
    CHECK(day(6)[0]["expires"].is_null());
    CHECK_EQ(state(7), std::string("active"));
    CHECK_EQ(state(8), std::string("revoked"));
    // Without removed ones, as always.
    CHECK_EQ(p.listed({.at = "2023-11-19T22:13:20Z"}), std::string());
    CHECK_EQ(p.listed({.at = "2023-11-18T22:13:20Z"}), std::string("web "));
    static_cast<void>(p.add(k_rsa2048, {"db"}, "db"));
    ctl::SetRequest window;
    window.not_before = "2098-01-01";
    window.expires = "2099-01-31";
    p.set("db", window);
    CHECK_EQ(p.listed({.states = {"not-yet-valid"}, .at = "2097-12-31"}), std::string("db "));
    CHECK_EQ(p.listed({.states = {"active"}, .at = "2098-01-01"}), std::string("db "));
    CHECK_EQ(p.listed({.states = {"expired"}, .at = "2099-01-31"}), std::string("db "));
}

void keys_that_were_imported_later_were_not_there() {
    ListPlace p;
    static_cast<void>(p.add(k_ed25519, {"web01"}, "web"));
    static_cast<void>(p.add(k_rsa2048, {"db"}, "db"));
    execute(p, "UPDATE history SET action = 'import', before_change = '', after_change = '', at = 1700000000;"
               "UPDATE history SET at = 1600000000, last_key = 1 WHERE seq = 1");
    CHECK_EQ(p.listed({.at = "2022-01-01"}), std::string("web "));
    CHECK_EQ(p.listed({.at = "2024-01-01"}), std::string("web db "));
}

void tables_fit_a_terminal() {
    ctl::Table table({"ID", "STATE", "AGENT"});
    table.add({"a-rather-long-id-of-a-key", "active", "the.name.of.an.agent.that.is.quite.long"});
    table.add({"b", "revoked", "x"});
    CHECK_EQ(table.text(0),
             std::string("ID                         STATE    AGENT\n"
                         "a-rather-long-id-of-a-key  active   the.name.of.an.agent.that.is.quite.long\n"
                         "b                          revoked  x\n"));
    CHECK_EQ(table.text(50), std::string("ID                   STATE    AGENT\n"
                                         "a-rather-long-id...  active   the.name.of.an.ag...\n"
                                         "b                    revoked  x\n"));
    for (const std::size_t columns : {28UL, 40UL, 60UL, 74UL, 75UL}) {
        std::string text = table.text(columns);
        while (!text.empty()) {
            const std::string line = text.substr(0, text.find('\n'));
            CHECK(line.size() <= columns);
            text.erase(0, line.size() + 1);
        }
    }
    CHECK(!contains(table.text(75), "..."));
    CHECK(contains(table.text(74), "..."));
    const auto red = [](std::size_t column, std::string_view) -> const char* {
        return column == 1 ? "31" : nullptr;
    };
    CHECK(contains(table.text(0, red), "b                          \x1b[31mrevoked\x1b[0m  x\n"));
    CHECK(contains(table.text(0, red), "  STATE    AGENT\n"));
}

void colour_and_width_are_for_terminals() {
    const auto set = [](const char* name, const char* value) {
        CHECK_EQ(value == nullptr ? ::unsetenv(name) : ::setenv(name, value, 1), 0);
    };
    for (const char* name : {"COLUMNS", "NO_COLOR"})
        set(name, nullptr);
    set("TERM", "xterm");
    const Fd terminal{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
    CHECK(terminal.valid());
    CHECK_EQ(::grantpt(terminal.get()), 0);
    CHECK_EQ(::unlockpt(terminal.get()), 0);
    const Fd end{::open(::ptsname(terminal.get()), O_RDWR | O_NOCTTY | O_CLOEXEC)};
    CHECK(end.valid());
    winsize size{};
    size.ws_col = 47;
    CHECK_EQ(::ioctl(end.get(), TIOCSWINSZ, &size), 0);
    CHECK_EQ(ctl::look_at_terminal(end.get()).columns, 47);
    CHECK(ctl::look_at_terminal(end.get()).colour);
    set("COLUMNS", "63");
    CHECK_EQ(ctl::look_at_terminal(end.get()).columns, 63);
    set("COLUMNS", "x");
    CHECK_EQ(ctl::look_at_terminal(end.get()).columns, 47);
    set("NO_COLOR", "1");
    CHECK(!ctl::look_at_terminal(end.get()).colour);
    set("NO_COLOR", nullptr);
    set("TERM", "dumb");
    CHECK(!ctl::look_at_terminal(end.get()).colour);
    set("TERM", "xterm");
    set("COLUMNS", "63");
    const Fd file{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    CHECK_EQ(ctl::look_at_terminal(file.get()).columns, 0);
    CHECK(!ctl::look_at_terminal(file.get()).colour);
}

void the_list_as_people_see_it() {
    ListPlace p;
    static_cast<void>(p.add(k_ed25519, {"web01", "web02"}, "web"));
    static_cast<void>(p.add(k_rsa2048, {"se\xc3\xb1or"}, "db"));
    ctl::SetRequest terms;
    terms.expires = "2099-01-31";
    terms.from = std::vector<std::string>{"10.0.0.0/8", "::1"};
    p.set("web", terms);
    static_cast<void>(ctl::revoke_key(p.context, "db", "x"));
    CHECK_EQ(ctl::list_keys(p.context, false),
             std::string("ID   STATE    EXPIRES     LAST USE  AGENT\n"
                         "web  active   2099-01-31  -         web01 (+1)\n"
                         "db   revoked  -           -         se\\xc3\\xb1or\n"));
    CHECK(contains(
        ctl::list_keys(p.context, false, {.wide = true}),
        "web  active   ed25519  default  SHA256:cR4NiELuMPZQ8J6ftGYc3FnfwuPfi2fHMQH5VSl9RFE  2099-01-31  -  "
        "       10.0.0.0/8 (+1)  web01 (+1)\n"));
    p.context.colour = true;
    CHECK(contains(ctl::list_keys(p.context, false), "db   \x1b[31mrevoked\x1b[0m  -"));
    CHECK(contains(ctl::list_keys(p.context, false), "web  active   2099"));
    p.context.remarks.clear();
    CHECK_EQ(ctl::list_keys(p.context, false, {.agent = "nobody"}), std::string());
    CHECK_EQ(p.context.remarks.back(), std::string("no key is as asked for"));
}

// Somebody's change that is not committed yet is no reason to wait.
void looking_needs_no_lock() {
    ListPlace p;
    static_cast<void>(p.add(k_ed25519, {"a"}, "web"));
    ctl::Store store(p.context.store, p.context.owner, 0);
    const ctl::Store::Transaction writer(store, ctl::Store::Transaction::Kind::write);
    ctl::StoredKey before = *store.find_id("web");
    ctl::StoredKey after = before;
    after.note = "not yet";
    store.update(before, after, {now(), "other", "set", ""});
    CHECK(contains(ctl::list_keys(p.context, false), "web  active"));
    CHECK(contains(ctl::show_key(p.context, "web", false), "note         agent@ed25519\n"));
    CHECK(contains(ctl::history_of_key(p.context, "web"), "add by tester"));
    CHECK(contains(ctl::review_keys(p.context), "web,SHA256"));
    CHECK(contains(ctl::export_keys(p.context, "authorized_keys"), " web\n"));
}

void exports() {
    ListPlace p;
    CHECK_EQ(ctl::export_keys(p.context, "authorized_keys"), std::string());
    CHECK_EQ(ctl::export_keys(p.context, "json"), std::string("[]\n"));
    static_cast<void>(p.add(k_ed25519, {"a"}, "web"));
    static_cast<void>(p.add(k_ecdsa256, {"b"}, "off"));
    static_cast<void>(p.add(k_rsa2048, {"c"}, "bad"));
    ctl::SetRequest terms;
    terms.expires = "2099-01-31T12:30:15Z";
    terms.from = std::vector<std::string>{"10.0.0.0/8", "2001:db8::/32"};
    p.set("web", terms);
    static_cast<void>(ctl::disable_key(p.context, "off", "x"));
    static_cast<void>(ctl::revoke_key(p.context, "bad", "x"));
    const std::string_view line = k_ed25519.line;
    CHECK_EQ(
        ctl::export_keys(p.context, "authorized_keys"),
        fmt::format("restrict,from=\"10.0.0.0/8,2001:db8::/32\",expiry-time=\"20990131123015Z\" {} web\n",
                    line.substr(0, line.rfind(' '))));
    const std::string_view rsa = k_rsa2048.line;
    CHECK_EQ(ctl::export_keys(p.context, "revoked"), fmt::format("{} bad\n", rsa.substr(0, rsa.rfind(' '))));
    static_cast<void>(ctl::remove_key(p.context, "bad", "x", false));
    CHECK_EQ(ctl::export_keys(p.context, "revoked"), fmt::format("{} bad\n", rsa.substr(0, rsa.rfind(' '))));
    const auto all = nlohmann::json::parse(ctl::export_keys(p.context, "json"));
    CHECK_EQ(all.size(), std::size_t{2});
    CHECK_EQ(all[0]["public_key"].get<std::string>(), std::string(line.substr(0, line.rfind(' '))));
    refused(ctl::Status::usage, "--format is authorized_keys, json or revoked",
            [&] { static_cast<void>(ctl::export_keys(p.context, "pem")); });
}

void the_review() {
    ListPlace p;
    static_cast<void>(p.add(k_ed25519, {"a", "=1+1"}, "web"));
    ctl::SetRequest terms;
    terms.note = "rack 4, \"old\"";
    terms.approver = "ann";
    terms.expires = "2099-01-31";
    terms.from = std::vector<std::string>{"10.0.0.0/8", "::1"};
    p.set("web", terms);
    p.used(k_ed25519, 1'700'000'000);
    execute(p, "UPDATE pubkey SET added_at = 1600000000");
    CHECK_EQ(
        ctl::review_keys(p.context),
        std::string("id,fingerprint,type,agents,state,from,not_before,expires,added_at,added_by,last_use,"
                    "note,approver\r\n"
                    "web,SHA256:cR4NiELuMPZQ8J6ftGYc3FnfwuPfi2fHMQH5VSl9RFE,ssh-ed25519,\"a;=1+1\",active,"
                    "\"10.0.0.0/8;::1\",,2099-01-31T00:00:00Z,2020-09-13T12:26:40Z,tester,"
                    "2023-11-14T22:13:20Z,\"rack 4, \"\"old\"\"\",ann\r\n"));
    p.context.json = true;
    CHECK_EQ(nlohmann::json::parse(ctl::review_keys(p.context))[0]["last_use"].get<std::string>(),
             std::string("2023-11-14T22:13:20Z"));
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(filters),
        GATE_TEST(last_use_is_the_time_of_the_memory_file),
        GATE_TEST(the_past_and_the_future),
        GATE_TEST(keys_that_were_imported_later_were_not_there),
        GATE_TEST(tables_fit_a_terminal),
        GATE_TEST(colour_and_width_are_for_terminals),
        GATE_TEST(the_list_as_people_see_it),
        GATE_TEST(looking_needs_no_lock),
        GATE_TEST(exports),
        GATE_TEST(the_review),
    };
    return cmocka_run_group_tests_name("ctl_list", tests, nullptr, nullptr);
}
