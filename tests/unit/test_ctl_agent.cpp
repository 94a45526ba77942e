// gatectl/agent: what is read of the audit, what it amounts to, and how it is printed.
#include "tests/unit/support.h"
#include "tests/unit/test_ctl_keys.h"
#include "tests/unit/test_ctl_place.h"

#include "gatectl/agent/commands.h"
#include "gatectl/agent/health.h"
#include "lib/base/md5.h"

using namespace gate;
using namespace gate::test;
using ctl::Health;

namespace {

constexpr std::int64_t k_now = 1'800'000'000; // 2027-01-15T08:00:00Z
constexpr std::int64_t k_hour = 3600;
constexpr std::int64_t k_day = 86'400;

ctl::AgentIdentity web01() {
    return {.name = "web01", .md5 = md5_name("web01"), .keys = {"web", "broker"}, .alone = {"web"}};
}

ctl::AgentTrail trail_of(const std::string& text) {
    TempDir dir;
    write_file(dir / "audit", text);
    return ctl::read_trail(dir / "audit", web01());
}

void lines_backwards() {
    TempDir dir;
    const std::string file = dir / "f";
    const auto lines = [&](std::uint64_t budget) {
        std::string out;
        const bool all = ctl::each_line_backwards(file, budget, [&](std::string_view line) {
            out += std::string(line) + '|';
            return true;
        });
        return out + (all ? "all" : "cut");
    };
    CHECK_EQ(lines(100), "all"); // there is no such file
    write_file(file, "");
    CHECK_EQ(lines(100), "all");
    write_file(file, "one\ntwo\n\nthree");
    CHECK_EQ(lines(100), "three|two|one|all");
    CHECK_EQ(lines(10), "three|cut");
    // Across the blocks that it is read in.
    const std::string longer(700'000, 'x');
    write_file(file, longer + "\nsecond " + longer.substr(0, 60'000) + "\nlast\n");
    std::size_t count = 0;
    std::uint64_t budget = 64 << 20;
    CHECK(ctl::each_line_backwards(file, budget, [&](std::string_view line) {
        count += line == "last" || line.starts_with("second x") ? 1U : 0U;
        return true;
    }));
    CHECK_EQ(count, 2U);
}

void the_last_events() {
    const std::string md5 = md5_name("web01");
    const ctl::AgentTrail trail = trail_of(
        R"({"event":"session.opened","time":"2027-01-15T06:00:00.000Z","rhost":"192.0.2.1","key":"web"})"
        "\n"
        R"({"event":"session.opened","time":"2027-01-15T07:00:00.000Z","rhost":"192.0.2.2","key":"web"})"
        "\n"
        R"({"event":"session.opened","time":"2027-01-15T07:30:00.000Z","rhost":"192.0.2.3","key":"web0"})"
        "\n"
        R"({"event":"drop.accepted","time":"2027-01-15T07:00:01.000Z","peer":"192.0.2.2","key":"broker","file":")" +
        md5 +
        R"(.1.data"})"
        "\n"
        R"({"event":"drop.accepted","time":"2027-01-15T07:50:01.000Z","peer":"192.0.2.2","key":"broker","file":"web02.1.data"})"
        "\n"
        R"({"event":"drop.accepted","time":"2027-01-15T07:51:01.000Z","peer":"192.0.2.9","key":"stranger","file":"web01.9.data"})"
        "\n"
        R"({"event":"drop.refused","time":"2027-01-15T07:00:02.000Z","key":"web","file":"x","reason":"name.form","why":"w","remedy":"r"})"
        "\n"
        R"({"event":"drop.refused","time":"2027-01-15T07:40:02.000Z","key":"broker","file":"web03.1.data","reason":"paused","why":"w"})"
        "\n"
        R"({"event":"agent.mismatch","time":"2027-01-15T07:00:03.000Z","key":"web","packet_agent":"other"})"
        "\n"
        R"({"event":"agent.mismatch","time":"2027-01-15T07:00:03.000Z","key":"broker","packet_agent":"web01"})"
        "\n"
        R"({"event":"agent.mismatch","time":"2027-01-15T07:00:03.000Z","key":"broker","packet_agent":"web03"})"
        "\n"
        "web01 is no event\n{\"web01\":\n[\"web01\"]\n");
    CHECK_EQ(trail.login.time, "2027-01-15T07:00:00.000Z");
    CHECK_EQ(trail.login.address, "192.0.2.2");
    CHECK_EQ(trail.drop.time, "2027-01-15T07:00:01.000Z");
    CHECK_EQ(trail.refusal.rule, "name.form");
    CHECK_EQ(trail.refusal.reason, "w");
    CHECK_EQ(trail.refusal.remedy, "r");
    CHECK_EQ(trail.mismatches, 2U);
    CHECK(trail.read_all);
}

void the_rotated_file_is_read_too() {
    TempDir dir;
    write_file(dir / "audit", "");
    write_file(
        dir / "audit.1",
        R"({"event":"session.opened","time":"2027-01-15T06:00:00.000Z","rhost":"192.0.2.1","key":"web"})"
        "\n");
    CHECK_EQ(ctl::read_trail(dir / "audit", web01()).login.address, "192.0.2.1");
}

ctl::AgentState good() {
    ctl::AgentState state{.name = "web01", .quota_window = 300};
    state.keys.push_back({.id = "web",
                          .state = "active",
                          .agent = "web01",
                          .files = 1,
                          .bytes = 3001,
                          .quota_files = 2000,
                          .quota_bytes = 256'000'000});
    state.trail.login = {.time = "2027-01-15T07:55:00.000Z", .address = "192.0.2.2", .key = "web"};
    state.trail.drop = {.time = "2027-01-15T07:55:01.000Z",
                        .address = "192.0.2.2",
                        .key = "web",
                        .what = "drop.accepted",
                        .file = "web01.1.data"};
    state.last_drop = ctl::seconds_of(state.trail.drop.time);
    return state;
}

Health judged(ctl::AgentState state) {
    ctl::judge(state, k_now, k_hour);
    return state.health();
}

void health() {
    CHECK(judged(good()) == Health::healthy);
    auto state = good();
    state.last_drop = k_now - k_hour;
    CHECK(judged(state) == Health::healthy);
    state.last_drop = k_now - k_hour - 1;
    CHECK(judged(state) == Health::warning);
    state.last_drop = 0;
    CHECK(judged(state) == Health::warning);

    state = good();
    state.keys[0].expires = k_now + 30 * k_day;
    CHECK(judged(state) == Health::warning);
    state.keys[0].expires = k_now + 30 * k_day + 1;
    CHECK(judged(state) == Health::healthy);
    // Another one that lasts is enough.
    state.keys.push_back({.id = "old", .state = "active", .expires = k_now + k_day});
    CHECK(judged(state) == Health::healthy);
    state.keys[0].state = "disabled";
    CHECK(judged(state) == Health::warning);
    state.keys[1].state = "revoked";
    CHECK(judged(state) == Health::broken);

    state = good();
    state.trail.refusal = {.time = "2027-01-15T07:55:00.000Z", .rule = "name.form"};
    CHECK(judged(state) == Health::healthy); // before the last drop
    state.trail.drop.time = "2027-01-15T07:55:01.500Z";
    state.trail.refusal.time = "2027-01-15T07:55:01.499Z";
    CHECK(judged(state) == Health::healthy); // in the same second
    state.trail.refusal.time = "2027-01-15T07:55:01.501Z";
    CHECK(judged(state) == Health::broken);
    state.trail.refusal.time = "2027-01-15T07:56:00.000Z";
    CHECK(judged(state) == Health::broken);
    state.trail.refusal.rule = "name.remote_config";
    CHECK(judged(state) == Health::healthy);

    state = good();
    state.waiting = {"q"};
    CHECK(judged(state) == Health::warning);
    state = good();
    state.pending = {"p"};
    CHECK(judged(state) == Health::warning);
    state = good();
    state.trail.mismatches = 1;
    CHECK(judged(state) == Health::warning);
}

void printed() {
    ctl::AgentState state = good();
    state.trail.refusal = {.time = "2027-01-15T07:56:00.000Z",
                           .address = "192.0.2.2",
                           .key = "web",
                           .rule = "agent.name",
                           .reason = "this key may not send for the agent in the file name",
                           .remedy = "ask the administrator to add the agent to the key",
                           .file = "x\n.1.data"};
    state.waiting = {"20270115T060102Z-0123456789abcdef"};
    state.pending = {"p-1", "p-2"};
    ctl::judge(state, k_now, k_hour);
    CHECK_EQ(ctl::to_text(state, 80),
             "agent        web01\n"
             "health       broken\n"
             "broken       what it tried last was refused (rule agent.name); to change that:\n"
             "             ask the administrator to add the agent to the key\n"
             "warning      1 packet waits in the quarantine; to change that: pandora-gate\n"
             "             quarantine show, then release or purge\n"
             "warning      2 new keys wait to be approved; to change that: pandora-gate keys\n"
             "             pending, then approve or reject\n"
             "key          web active, 1 of 2000 files and 3001 of 256000000 bytes within 300\n"
             "             s\n"
             "pending key  p-1\n"
             "pending key  p-2\n"
             "last login   2027-01-15T07:55:00.000Z from 192.0.2.2, key web\n"
             "last drop    2027-01-15T07:55:01.000Z from 192.0.2.2, key web, web01.1.data\n"
             "last refusal 2027-01-15T07:56:00.000Z from 192.0.2.2, key web, x\\x0a.1.data\n"
             "             this key may not send for the agent in the file name (rule\n"
             "             agent.name); to change that: ask the administrator to add the agent\n"
             "             to the key\n"
             "quarantine   20270115T060102Z-0123456789abcdef\n");
}

void near() {
    const std::vector<std::string> known = {"web01", "web02", "db01", "web01-backup", "web02"};
    CHECK(ctl::near_names("web1", known) == std::vector<std::string>({"web01", "web02"}));
    CHECK(ctl::near_names("web01-b", known) == std::vector<std::string>({"web01", "web01-backup"}));
    CHECK(ctl::near_names("somebody", known).empty());
    CHECK(ctl::near_names("", known).empty());
    CHECK(ctl::near_names(std::string(10'000, 'x'), known).empty());
}

void times() {
    CHECK_EQ(ctl::seconds_of("2027-01-15T08:00:00.999Z"), k_now);
    CHECK_EQ(ctl::seconds_of(""), 0);
    CHECK_EQ(ctl::seconds_of("yesterday"), 0);
}

void a_name_that_nobody_knows() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"web01"}, "web"));
    ctl::AgentRequest request{.name = "web1", .audit = p.dir / "audit"};
    refused(ctl::Status::refused, "did you mean \"web01\"?",
            [&] { static_cast<void>(ctl::agent_health(p.context, request)); });
    request.name = "web01";
    CHECK(contains(ctl::agent_health(p.context, request), "no drop is known"));
    CHECK_EQ(p.context.exit_status, 1);
    CHECK(!contains(ctl::agent_health(p.context, request), "p-1"));
    const std::string web = p.stored().front().fingerprint;
    {
        ctl::Store store(p.context.store, p.context.owner, p.context.store_patience);
        ctl::Store::Transaction transaction(store, ctl::Store::Transaction::Kind::write);
        const std::pair<const char*, std::string> pending[] = {{"p-1", web}, {"p-2", "SHA256:of another"}};
        for (const auto& [id, in_place_of] : pending)
            store.insert_pending({.id = id,
                                  .fingerprint = std::string("SHA256:") + id,
                                  .type = "ssh-ed25519",
                                  .blob = id,
                                  .comment = {},
                                  .peer = "192.0.2.2",
                                  .site = "192.0.2.2",
                                  .asked_at = k_now,
                                  .in_place_of = in_place_of});
        transaction.commit();
    }
    CHECK(contains(ctl::agent_health(p.context, request), "pending key  p-1\n"));
    CHECK(!contains(ctl::agent_health(p.context, request), "p-2"));
    request.silent_for = "soon";
    refused(ctl::Status::usage, "--silent-for",
            [&] { static_cast<void>(ctl::agent_health(p.context, request)); });
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(lines_backwards),
        GATE_TEST(the_last_events),
        GATE_TEST(the_rotated_file_is_read_too),
        GATE_TEST(health),
        GATE_TEST(printed),
        GATE_TEST(near),
        GATE_TEST(times),
        GATE_TEST(a_name_that_nobody_knows),
    };
    return cmocka_run_group_tests_name("ctl_agent", tests, nullptr, nullptr);
}
