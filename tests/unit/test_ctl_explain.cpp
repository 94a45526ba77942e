// gatectl/explain: how an answer is printed, what is read of authkeys and PAM, and a walk through all of it
// with an authkeys and a PAM of the test's own.
#include "tests/unit/support.h"
#include "tests/unit/test_ctl_keys.h"
#include "tests/unit/test_ctl_place.h"

#include "authkeys_cmd/status.h"
#include "gatectl/explain/authkeys.h"
#include "gatectl/explain/commands.h"
#include "gatectl/explain/steps.h"

#include <pwd.h>

using namespace gate;
using namespace gate::test;

namespace {

// The table is a copy: programs include none of each other.
void statuses_are_those_of_authkeys() {
    CHECK_EQ(ctl::k_authkeys_statuses.size(), authkeys::k_statuses.size());
    for (const authkeys::StatusText& entry : authkeys::k_statuses) {
        const auto* known = ctl::describe_authkeys(static_cast<int>(entry.status));
        CHECK(known != nullptr);
        CHECK_EQ(known->rule, entry.name);
        CHECK_EQ(known->remedy, entry.remedy);
    }
    CHECK(ctl::describe_authkeys(1) == nullptr);
    CHECK(ctl::describe_authkeys(127) == nullptr);
}

void addresses_in_networks() {
    const std::vector<std::string> networks = {"10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1"};
    for (const char* inside : {"10.255.0.1", "192.0.2.7", "2001:db8:ffff::1", "::1", "::ffff:10.1.2.3"})
        CHECK_MSG(ctl::holds_address(networks, inside), inside);
    for (const char* outside : {"11.0.0.1", "192.0.2.8", "2001:db9::1", "::2", "::ffff:11.1.2.3", "web01", "",
                                "10.0.0.1/8", "10.0.0.1%eth0"})
        CHECK_MSG(!ctl::holds_address(networks, outside), outside);
    CHECK(ctl::holds_address({"0.0.0.0/0"}, "203.0.113.9"));
    CHECK(!ctl::holds_address({"0.0.0.0/0"}, "2001:db8::1"));
    CHECK(!ctl::holds_address({}, "10.0.0.1"));
}

void lines_of_authkeys() {
    const auto both = ctl::read_line_options(
        "restrict,from=\"10.0.0.0/8,::1\",expiry-time=\"20270131000000Z\" ssh-ed25519 AAAA web01-1");
    CHECK(both && both->from == std::vector<std::string>({"10.0.0.0/8", "::1"}));
    CHECK_EQ(both->expires, 1'801'353'600);
    const auto none = ctl::read_line_options("restrict ssh-ed25519 AAAA from=\"10.0.0.0/8\"");
    CHECK(none && none->from.empty() && none->expires == 0);
    CHECK(!ctl::read_line_options("ssh-ed25519 AAAA web01"));
}

void what_the_logger_would_have_heard() {
    ctl::PamAnswer answer;
    ctl::hear(answer, "<85>Nov 24 06:01:02 sshd[7]: pam_unix(sshd:account): expired {x} \"login.refused\"");
    CHECK(answer.rule.empty());
    CHECK_EQ(answer.said.size(), 1U);
    CHECK_EQ(answer.said[0], "pam_unix(sshd:account): expired {x} \"login.refused\"");
    ctl::hear(
        answer,
        R"(<85>Nov 24 06:01:02 pandora-gate[7]: {"event":"login.refused","rule":"shell","reason":"r","remedy":"m"})");
    CHECK_EQ(answer.rule, "shell");
    CHECK_EQ(answer.reason, "r");
    CHECK_EQ(answer.remedy, "m");
    ctl::hear(answer,
              "<85>Nov 24 06:01:02 sshd[7]: pam_pandora(sshd:account): user x refused: the same in words");
    CHECK_EQ(answer.said.size(), 1U);
    ctl::hear(answer, R"(<85>x: {"event":"login.refused" broken)");
    CHECK_EQ(answer.rule, "shell");
    for (int i = 0; i < 100; ++i)
        ctl::hear(answer, "<85>x[1]: again");
    CHECK(answer.said.size() <= 20);
}

void folded() {
    CHECK_EQ(ctl::fold("a bb ccc", 0, 2), "a bb ccc");
    CHECK_EQ(ctl::fold("a bb ccc", 4, 2), "a bb\n  ccc");
    CHECK_EQ(ctl::fold("aaaaaaaa b", 4, 2), "aaaaaaaa\n  b");
    CHECK_EQ(ctl::fold("", 4, 2), "");
}

void printed() {
    ctl::Walk walk{.user = "pandora",
                   .key = "web01-711e0d",
                   .fingerprint = "SHA256:x",
                   .address = "192.0.2.1",
                   .service = "sshd"};
    walk.end({"authkeys", "key web01-711e0d is active; from=10.0.0.0/8 does not hold 192.0.2.1",
              ctl::Outcome::refused, "from", "send from there"});
    CHECK_EQ(ctl::to_text(walk, 0), "authkeys: key web01-711e0d is active; from=10.0.0.0/8 does not hold "
                                    "192.0.2.1 -> refused (rule from)\n"
                                    "    to change that: send from there\n");
    CHECK_EQ(ctl::to_text(walk, 80),
             "authkeys: key web01-711e0d is active; from=10.0.0.0/8 does not hold 192.0.2.1 ->\n"
             "    refused (rule from)\n"
             "    to change that: send from there\n");
}

// An authkeys that says what the test wants, and a PAM too.
ctl::PamAnswer pam_yes(const ctl::PamQuestion&) {
    return {};
}
ctl::PamAnswer pam_no(const ctl::PamQuestion&) {
    return {.code = 6,
            .text = "Permission denied",
            .rule = "shell",
            .reason = "no shell\n",
            .remedy = "usermod -s"};
}
ctl::PamAnswer pam_away(const ctl::PamQuestion&) {
    return {.trouble = "gone"};
}

struct ExplainPlace : Place {
    ctl::ExplainRequest request;
    std::string account;

    ExplainPlace() {
        account = "daemon"; // who is there on every machine
        write_file(context.config,
                   fmt::format("[account]\nuser = \"{}\"\n[spool]\ndirectory = \"{}\"\nstaging = \"{}\"\n"
                               "quarantine = \"{}\"\nmin_free = \"1MB\"\n",
                               account, dir / "data_in", dir / "staging", dir / "quarantine"));
        for (const char* name : {"data_in", "staging", "state"})
            std::filesystem::create_directory(dir / name);
        static_cast<void>(add(k_ed25519, {"web01"}, "web"));
        request.user = account;
        request.key = "web";
        request.address = "192.0.2.1";
        request.ask_pam = pam_yes;
        request.authkeys = dir / "authkeys";
        serve("restrict,from=\"192.0.2.0/24\" ssh-ed25519 AAAA web");
    }
    void serve(const std::string& line, int status = 0) {
        ::unlink(request.authkeys.c_str());
        std::filesystem::permissions(dir.path(), std::filesystem::perms(0755));
        write_file(request.authkeys, fmt::format("#!/bin/sh\nprintf '%s\\n' '{}'\nexit {}\n", line, status),
                   0755);
    }
    std::string text() { return ctl::explain(context, request); }
};

// As root authkeys is run as a user whom this machine need not have.
bool can_ask() {
    return ::geteuid() != 0 || ::getpwnam(ctl::k_command_user) != nullptr;
}

void a_walk() {
    ExplainPlace p;
    if (!can_ask())
        return;
    CHECK(contains(p.text(), "drop: is started"));
    CHECK_EQ(p.context.exit_status, 0);
    p.request.file = "web01.1.data";
    p.request.packet_agent = "web01";
    CHECK(contains(p.text(), "drop: a packet of \"web01\", into data_in -> taken\n"));
    p.request.packet_agent = "web02";
    CHECK(contains(p.text(), "-> quarantined (rule agent.mismatch)\n"));
    CHECK_EQ(p.context.exit_status, 3);
    p.request.file = "web02.1.data";
    CHECK(contains(p.text(), "-> refused (rule agent.name)\n"));
    CHECK_EQ(p.context.exit_status, 1);
    p.request.file = "web01.1.data";
    p.request.size = 2'000'001;
    CHECK(contains(p.text(), "(rule size.file)"));
    p.request.ask_pam = pam_no;
    CHECK(contains(p.text(), "pam: service sshd: no shell\\x0a -> refused (rule shell)\n"));
    p.request.address = "198.51.100.1";
    CHECK(contains(p.text(), "(rule from)"));
    p.serve("", 77);
    CHECK(contains(p.text(), "(rule key.revoked)"));
    p.serve("", 99);
    CHECK(contains(p.text(), "unknown status 99"));
    CHECK(std::filesystem::is_empty(p.dir / "state"));
    CHECK(std::filesystem::is_empty(p.dir / "data_in"));
}

void what_cannot_be_asked() {
    ExplainPlace p;
    if (!can_ask())
        return;
    p.request.ask_pam = pam_away;
    refused(ctl::Status::unavailable, "gone", [&] { static_cast<void>(p.text()); });
    p.request.authkeys = p.dir / "nothing";
    refused(ctl::Status::unavailable, "cannot be run", [&] { static_cast<void>(p.text()); });
    p.request.address = "web01";
    refused(ctl::Status::usage, "--addr", [&] { static_cast<void>(p.text()); });
    p.request.key = "nosuch";
    p.request.address = "::1";
    refused(ctl::Status::refused, "there is no key", [&] { static_cast<void>(p.text()); });
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(statuses_are_those_of_authkeys),
        GATE_TEST(addresses_in_networks),
        GATE_TEST(lines_of_authkeys),
        GATE_TEST(what_the_logger_would_have_heard),
        GATE_TEST(folded),
        GATE_TEST(printed),
        GATE_TEST(a_walk),
        GATE_TEST(what_cannot_be_asked),
    };
    return cmocka_run_group_tests_name("ctl_explain", tests, nullptr, nullptr);
}
