// `pandora-gate pause`, `resume`: what stands in the file that sessions read, and what the commands say.
#include "tests/unit/support.h"
#include "tests/unit/test_ctl_place.h"

#include "gatectl/pause/commands.h"
#include "lib/base/clock.h"
#include "lib/spool/pause.h"

using namespace gate;
using namespace gate::test;

namespace {

spool::Pause in_force(const Place& p) {
    const Fd fd{::open((p.dir / "pause").c_str(), O_RDONLY | O_CLOEXEC)};
    CHECK(fd.valid());
    const auto pause = spool::read_pause(fd.get());
    CHECK_OK(pause);
    return *pause;
}

std::int64_t now() {
    return wall_clock_us() / 1'000'000;
}

void a_pause_holds_until_it_is_resumed() {
    Place p;
    CHECK_EQ(ctl::pause_status(p.context, false), std::string("deliveries are not paused\n"));
    CHECK(::access((p.dir / "pause").c_str(), F_OK) != 0); // looking makes no file
    const mode_t old = ::umask(077);
    CHECK(contains(ctl::pause_deliveries(p.context, {.reason = "upgrade", .duration = {}}),
                   "until it is resumed by tester: upgrade\n"));
    ::umask(old);
    struct stat st {};
    CHECK_EQ(::stat((p.dir / "pause").c_str(), &st), 0);
    CHECK_EQ(st.st_mode & 07777, mode_t{0644});
    CHECK(in_force(p).holds_at(now()));
    CHECK(in_force(p).holds_at(now() + 1'000'000'000));
    CHECK_EQ(std::string(in_force(p).reason.data()), std::string("upgrade"));
    CHECK_EQ(std::string(in_force(p).operator_name.data()), std::string("tester"));
    CHECK(contains(ctl::resume_deliveries(p.context), "deliveries go on; they were paused since "));
    CHECK(!in_force(p).holds_at(now()));
    CHECK_EQ(ctl::resume_deliveries(p.context), std::string("deliveries are not paused, nothing changed\n"));
}

void a_session_that_has_the_file_open_sees_it() {
    Place p;
    static_cast<void>(ctl::resume_deliveries(p.context)); // makes it
    const Fd fd{::open((p.dir / "pause").c_str(), O_RDONLY | O_CLOEXEC)};
    CHECK(!spool::read_pause(fd.get())->holds_at(now()));
    static_cast<void>(ctl::pause_deliveries(p.context, {}));
    CHECK(spool::read_pause(fd.get())->holds_at(now()));
    static_cast<void>(ctl::resume_deliveries(p.context));
    CHECK(!spool::read_pause(fd.get())->holds_at(now()));
}

void a_pause_may_end_by_itself() {
    Place p;
    CHECK(contains(ctl::pause_deliveries(p.context, {.reason = {}, .duration = "2h"}), " until 2"));
    const auto pause = in_force(p);
    CHECK(pause.holds_at(now()));
    CHECK(pause.until - pause.since == 7200);
    CHECK(!pause.holds_at(pause.until));
    for (const char* bad : {"0", "2", "0s", "31d", "-1h", "1h\x1b"})
        refused(ctl::Status::usage, "--for is a time", [&] {
            static_cast<void>(ctl::pause_deliveries(p.context, {.reason = {}, .duration = bad}));
        });
    // One that has ended is none.
    const Fd fd{::open((p.dir / "pause").c_str(), O_RDWR | O_CLOEXEC)};
    CHECK_OK(spool::write_pause(fd.get(), {.since = now() - 20, .until = now() - 10}));
    CHECK_EQ(ctl::pause_status(p.context, false), std::string("deliveries are not paused\n"));
    CHECK(contains(ctl::resume_deliveries(p.context), "nothing changed"));
    static_cast<void>(ctl::pause_deliveries(p.context, {}));
    CHECK(in_force(p).since >= now() - 5);
}

void pausing_again_is_harmless() {
    Place p;
    static_cast<void>(ctl::pause_deliveries(p.context, {.reason = "upgrade", .duration = {}}));
    const auto first = in_force(p);
    CHECK(contains(ctl::pause_deliveries(p.context, {}), "nothing changed"));
    CHECK(
        contains(ctl::pause_deliveries(p.context, {.reason = "upgrade", .duration = {}}), "nothing changed"));
    static_cast<void>(ctl::pause_deliveries(p.context, {.reason = {}, .duration = "1h"}));
    CHECK_EQ(in_force(p).since, first.since);
    CHECK(in_force(p).until > now());
    CHECK_EQ(std::string(in_force(p).reason.data()), std::string("upgrade"));
    static_cast<void>(ctl::pause_deliveries(p.context, {.reason = "moved", .duration = {}}));
    CHECK_EQ(in_force(p).until, std::int64_t{0});
    CHECK_EQ(std::string(in_force(p).reason.data()), std::string("moved"));
}

void the_status_is_for_programs_too() {
    Place p;
    CHECK_EQ(ctl::pause_status(p.context, true), std::string("{\n  \"paused\": false\n}\n"));
    static_cast<void>(ctl::pause_deliveries(p.context, {.reason = "caf\xc3\xa9 \"x\"", .duration = "1h"}));
    const std::string json = ctl::pause_status(p.context, true);
    CHECK(contains(json, "\"paused\": true"));
    CHECK(contains(json, "\"until\": \"20"));
    CHECK(contains(json, "\"reason\": \"caf\\u00c3\\u00a9 \\\"x\\\"\""));
    CHECK(contains(ctl::pause_status(p.context, false), ": caf\\xc3\\xa9 \"x\"\n"));
}

void reasons_are_one_short_line() {
    Place p;
    for (const std::string& bad : {std::string("a\nb"), std::string(200, 'x'), std::string("\x1b[2J")})
        refused(ctl::Status::usage, "the reason", [&] {
            static_cast<void>(ctl::pause_deliveries(p.context, {.reason = bad, .duration = {}}));
        });
    static_cast<void>(ctl::pause_deliveries(p.context, {.reason = std::string(199, 'x'), .duration = {}}));
    CHECK_EQ(std::string(in_force(p).reason.data()).size(), std::size_t{199});
}

void a_damaged_file_is_said_and_replaced() {
    Place p;
    write_file(p.dir / "pause", "nonsense");
    refused(ctl::Status::io, "file is damaged",
            [&] { static_cast<void>(ctl::pause_status(p.context, false)); });
    static_cast<void>(ctl::pause_deliveries(p.context, {}));
    CHECK(in_force(p).holds_at(now()));
    CHECK_EQ(::unlink((p.dir / "pause").c_str()), 0);
    CHECK_EQ(::symlink("/etc/passwd", (p.dir / "pause").c_str()), 0);
    refused(ctl::Status::cant_create, "symbolic link",
            [&] { static_cast<void>(ctl::pause_deliveries(p.context, {})); });
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(a_pause_holds_until_it_is_resumed),   GATE_TEST(a_session_that_has_the_file_open_sees_it),
        GATE_TEST(a_pause_may_end_by_itself),           GATE_TEST(pausing_again_is_harmless),
        GATE_TEST(the_status_is_for_programs_too),      GATE_TEST(reasons_are_one_short_line),
        GATE_TEST(a_damaged_file_is_said_and_replaced),
    };
    return cmocka_run_group_tests_name("ctl_pause", tests, nullptr, nullptr);
}
