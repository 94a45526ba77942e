// gatectl/probe: how results are counted and printed, and the programs that it runs.
#include "tests/unit/support.h"
#include "tests/unit/test_ctl_place.h"

#include "gatectl/probe/child.h"
#include "gatectl/probe/commands.h"
#include "gatectl/probe/interrupts.h"
#include "gatectl/probe/ssh_client.h"
#include "gatectl/probe/tries.h"

using namespace gate;
using namespace gate::test;
using ctl::TryResult;

namespace {

ctl::ProbeReport report_of(const std::vector<TryResult>& results) {
    ctl::ProbeReport out{.target = "h"};
    for (const TryResult result : results)
        out.tries.push_back({.name = "n", .what = "w", .result = result});
    return out;
}

void statuses() {
    using enum TryResult;
    CHECK_EQ(exit_status(report_of({refused, refused, accepted})), 0);
    CHECK_EQ(exit_status(report_of({refused, untried})), 2);
    CHECK_EQ(exit_status(report_of({untried, succeeded, refused})), 1);
    CHECK_EQ(exit_status(report_of({untried, lost})), 1);
}

void printed() {
    ctl::ProbeReport report{.target = "pandora@h", .left_behind = {"/tmp/x"}};
    report.tries = {{"shell", "a shell", TryResult::refused},
                    {"read-scp", "read /etc/passwd by scp", TryResult::succeeded},
                    {"tunnel", "a network interface (-w)", TryResult::untried, "no answer"},
                    {"deliver", "a packet of web01", TryResult::accepted}};
    CHECK_EQ(to_text(report, 80), "TRY                                 RESULT\n"
                                  "shell     a shell                   refused\n"
                                  "read-scp  read /etc/passwd by scp   SUCCEEDED\n"
                                  "tunnel    a network interface (-w)  could not be tried\n"
                                  "deliver   a packet of web01         accepted\n"
                                  "tunnel: no answer\n"
                                  "left behind: /tmp/x\n"
                                  "pandora@h: 4 tries, 1 succeeded\n");
}

void a_program_gets_what_it_is_given_and_no_more() {
    const auto ran = ctl::run_program(
        {.argv = {"/bin/sh", "-c", "env | grep -v '^PWD\\|^_\\|^SHLVL'; cat; echo bad >&2; exit 7"},
         .environment = {"A=b"},
         .input = "in\n"},
        20'000);
    CHECK(ran.in_time);
    CHECK_EQ(ran.status, 7);
    CHECK_EQ(ran.out, "A=b\nin\n");
    CHECK_EQ(ran.err, "bad\n");
    CHECK_EQ(ctl::run_program({.argv = {"/nowhere/at/all"}}, 20'000).status, 127);
    CHECK_EQ(ctl::run_program({.argv = {"/bin/sh", "-c", "kill -9 $$"}}, 20'000).status, 137);
}

void output_without_end_is_cut_and_passed_on() {
    const auto ran =
        ctl::run_program({.argv = {"/bin/sh", "-c", "head -c 3000000 /dev/zero; echo end >&2"}}, 60'000);
    CHECK(ran.in_time);
    CHECK_EQ(ran.out.size(), ctl::k_max_output);
    CHECK_EQ(ran.err, "end\n");
    // Nobody reads what it is sent.
    const auto deaf = ctl::run_program({.argv = {"/bin/true"}, .input = std::string(3'000'000, 'x')}, 60'000);
    CHECK(deaf.in_time);
    CHECK_EQ(deaf.status, 0);
}

void a_program_that_does_not_end_is_ended_with_its_children() {
    TempDir dir;
    const std::string pid_file = dir / "pid";
    {
        ctl::Child child(
            {.argv = {"/bin/sh", "-c", "sleep 1000 & echo $! > " + pid_file + "; echo ready; wait"}});
        CHECK(child.wait(20'000, [](const ctl::Child& c) { return c.out() == "ready\n"; }));
        CHECK(!child.ended());
        CHECK(!child.wait(10));
    }
    const auto pid =
        parse_u64(std::string_view(read_file(pid_file)).substr(0, read_file(pid_file).find('\n')));
    CHECK(pid.has_value());
    // It is dead, though somebody may still have to bury it.
    const std::string stat = "/proc/" + std::to_string(*pid) + "/stat";
    for (int i = 0; i < 1000 && std::filesystem::exists(stat) && !contains(read_file(stat), ") Z"); ++i)
        ::usleep(10'000);
    CHECK(!std::filesystem::exists(stat) || contains(read_file(stat), ") Z"));
}

void signals_are_remembered() {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        const ctl::Interrupts signals;
        CHECK(!ctl::interrupted());
        ::kill(::getpid(), signal); // would end this test
        CHECK(ctl::interrupted());
    }
    {
        ::signal(SIGHUP, SIG_IGN); // as nohup has it
        const ctl::Interrupts signals;
        ::kill(::getpid(), SIGHUP);
        CHECK(!ctl::interrupted());
    }
    CHECK(::signal(SIGHUP, SIG_DFL) == SIG_IGN);
    ctl::ProbeReport report = report_of({TryResult::refused, TryResult::succeeded});
    report.interrupted = true;
    CHECK_EQ(exit_status(report), 2);
}

void last_lines() {
    CHECK_EQ(ctl::last_line("a\nb\r\n"), "b");
    CHECK_EQ(ctl::last_line("\x1b[31m"), "\\x1b[31m");
    CHECK_EQ(ctl::last_line(""), "");
}

void what_is_no_host() {
    Place p;
    const auto probe = [&](ctl::ProbeRequest request) { static_cast<void>(ctl::probe(p.context, request)); };
    refused(ctl::Status::usage, "no host", [&] { probe({.target = "-oProxyCommand=x", .key = "k"}); });
    refused(ctl::Status::usage, "no host", [&] { probe({.target = "h", .user = "-x", .key = "k"}); });
    refused(ctl::Status::usage, "no host", [&] { probe({.target = "ftp://", .password_file = "k"}); });
    refused(ctl::Status::usage, "no port", [&] { probe({.target = "ftp://h:0", .password_file = "k"}); });
    refused(ctl::Status::usage, "--key", [&] { probe({.target = "h"}); });
    refused(ctl::Status::usage, "--password-file", [&] { probe({.target = "ftp://h"}); });
    refused(ctl::Status::usage, "there is no try",
            [&] { probe({.target = "h", .key = "k", .skip = {"all"}}); });
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(statuses),
        GATE_TEST(printed),
        GATE_TEST(a_program_gets_what_it_is_given_and_no_more),
        GATE_TEST(output_without_end_is_cut_and_passed_on),
        GATE_TEST(a_program_that_does_not_end_is_ended_with_its_children),
        GATE_TEST(signals_are_remembered),
        GATE_TEST(last_lines),
        GATE_TEST(what_is_no_host),
    };
    return cmocka_run_group_tests_name("ctl_probe", tests, nullptr, nullptr);
}
