// services= and rhost=: by which service, and from where.
#include "tests/pam/stack.h"

using namespace gate::test;

namespace {

constexpr std::pair<pamtest_ops, int> k_phases[] = {{PAMTEST_AUTHENTICATE, PAM_AUTH_ERR},
                                                    {PAMTEST_ACCOUNT, PAM_PERM_DENIED},
                                                    {PAMTEST_OPEN_SESSION, PAM_SESSION_ERR}};

// The service of these tests is called "gate".
void only_listed_services_are_open_to_whom_the_line_means() {
    for (const auto& [op, refused] : k_phases) {
        for (const char* options : {"services=gate", "services=sshd,gate", "services=sshd services=gate"})
            CHECK_EQ(module_code(options, op, "pandora"), PAM_SUCCESS);
        for (const char* options :
             {"services=sshd", "services=sshd,pandora-ftp", "services=gat", "services=gate2",
              "services=sshd group=pandora scope=members", "services=sshd user=pandora scope=members"}) {
            CHECK_EQ(module_code(options, op, "pandora"), refused);
            CHECK(has(events.at(0), "\"rule\":\"services\"") && has(events[0], "may not use service gate"));
        }
        CHECK_EQ(module_code("services=sshd", op, "admin"), refused);
        for (const char* user : {"admin", "root"})
            CHECK_EQ(module_code("services=sshd group=pandora scope=members", op, user), PAM_IGNORE);
    }
}

void a_service_without_a_name_is_refused() {
    for (const auto& [op, refused] : k_phases) {
        faults.no_service = true;
        const int code = module_code("services=gate", op, "pandora");
        faults = {};
        CHECK_EQ(code, refused);
        CHECK(has(events.at(0), "does not say what it is called"));
    }
}

int from(const char* rhost, const std::string& options, pamtest_ops op = PAMTEST_ACCOUNT,
         const char* user = "pandora") {
    return module_code(options, op, user, [rhost](pam_handle_t* pamh) {
        if (rhost != nullptr)
            CHECK_EQ(pam_set_item(pamh, PAM_RHOST, rhost), PAM_SUCCESS);
    });
}

void only_listed_networks_are_let_in() {
    const std::string networks = "rhost=10.0.0.0/8,192.0.2.7 rhost=2001:db8::/32,fe80::/10";
    for (const auto& [op, refused] : k_phases) {
        for (const char* peer : {"10.255.0.1", "192.0.2.7", "::ffff:10.0.0.1", "2001:db8::1", "fe80::1%eth0"})
            CHECK_MSG(from(peer, networks, op) == PAM_SUCCESS, peer);
        for (const char* peer :
             {"11.0.0.1", "192.0.2.8", "::ffff:192.0.2.8", "::10.0.0.1", "2001:db9::1", "::1"}) {
            CHECK_MSG(from(peer, networks, op) == refused, peer);
            CHECK(has(events.at(0), "\"rule\":\"rhost\"") && has(events[0], "in none of the networks"));
            CHECK(has(events[0], "\"rhost\":\"" + std::string(peer) + "\""));
        }
    }
}

void a_name_and_nothing_are_refused_even_where_everything_is_allowed() {
    const std::string everything = "rhost=0.0.0.0/0,::/0";
    CHECK_EQ(from("192.0.2.7", everything), PAM_SUCCESS);
    for (const auto& [op, refused] : k_phases) {
        for (const char* name : {"agent.example.org", "UNKNOWN", "192.0.2.7.example.org", "localhost"}) {
            CHECK_MSG(from(name, everything, op) == refused, name);
            CHECK(has(events.at(0), "no address but a name") && has(events[0], "UseDNS no"));
        }
        for (const char* nothing : {static_cast<const char*>(nullptr), ""}) {
            CHECK_EQ(from(nothing, everything, op), refused);
            CHECK(has(events.at(0), "does not say where"));
        }
    }
}

void who_is_not_meant_may_come_from_anywhere() {
    CHECK_EQ(from("192.0.2.7", "group=pandora scope=members rhost=10.0.0.0/8", PAMTEST_ACCOUNT, "admin"),
             PAM_IGNORE);
    CHECK_EQ(from(nullptr, "group=pandora scope=members rhost=10.0.0.0/8", PAMTEST_ACCOUNT, "root"),
             PAM_IGNORE);
    CHECK_EQ(from("192.0.2.7", "group=pandora scope=members rhost=10.0.0.0/8"), PAM_PERM_DENIED);
}

void a_peer_with_control_bytes_is_shown_escaped() {
    CHECK_EQ(from("a\x1b[2J\nb", "rhost=10.0.0.0/8"), PAM_PERM_DENIED);
    CHECK(!has(lines.at(0), "\x1b") && !has(lines[0], "\n") && !has(events.at(0), "\x1b"));
}

} // namespace

GATE_PAM_MAIN("pam_where", GATE_TEST(only_listed_services_are_open_to_whom_the_line_means),
              GATE_TEST(a_service_without_a_name_is_refused), GATE_TEST(only_listed_networks_are_let_in),
              GATE_TEST(a_name_and_nothing_are_refused_even_where_everything_is_allowed),
              GATE_TEST(who_is_not_meant_may_come_from_anywhere),
              GATE_TEST(a_peer_with_control_bytes_is_shown_escaped))
