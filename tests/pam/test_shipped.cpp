// The lines of conf/pam.d/pandora-gate.snippet, as they are shipped, in front of what Debian's sshd has.
#include "tests/pam/stack.h"

#include <filesystem>
#include <sstream>

using namespace gate::test;

namespace {

// The lines of one phase, pam_pandora.so replaced by the module under test and the nologin that is in its
// list by that of the test's directory.
std::string shipped(const std::string& phase, bool rpm) {
    std::istringstream text{read_file("conf/pam.d/pandora-gate.snippet")};
    std::string out;
    for (std::string line; std::getline(text, line);) {
        if (!line.starts_with(phase))
            continue;
        const auto replace = [&](std::string_view what, const std::string& by) {
            const size_t at = line.find(what);
            CHECK_MSG(at != std::string::npos, line);
            line.replace(at, what.size(), by);
        };
        replace("pam_pandora.so", module_path());
        replace("shell=/usr/sbin/nologin", "shell=" + work_dir() + "/usr/sbin/nologin");
        if (rpm)
            replace("group=pandora", "user=rpm");
        out += line + "\n";
    }
    CHECK(!out.empty());
    return out;
}

void install(bool rpm) {
    std::string text;
    for (const std::string phase : {"account", "session"})
        text += shipped(phase, rpm) + phase + " [success=1 default=ignore] pam_permit.so\n" + phase +
                " requisite pam_deny.so\n" + phase + " required pam_permit.so\n";
    write_stack(text + "auth required pam_permit.so\n");
}

// account, setcred, open_session, close_session: a public-key login of sshd. "in", or the phase that refused.
std::string login(const char* user) {
    const Handle handle{"gate", user};
    forget();
    if (pam_acct_mgmt(handle.pamh, 0) != PAM_SUCCESS)
        return "account";
    if (pam_setcred(handle.pamh, PAM_ESTABLISH_CRED) != PAM_SUCCESS)
        return "setcred";
    if (pam_open_session(handle.pamh, 0) != PAM_SUCCESS)
        return "session";
    return pam_close_session(handle.pamh, 0) == PAM_SUCCESS ? "in" : "close";
}

void members_with_an_allowed_shell_are_let_in() {
    install(false);
    for (const char* user : {"pandora", "second", "linked"}) {
        CHECK_EQ(login(user), "in");
        CHECK_EQ(events.size(), 2U);
    }
}

void members_with_another_shell_are_refused() {
    install(false);
    for (const char* user : {"basher", "empty", "other"}) {
        CHECK_EQ(login(user), "account");
        CHECK(has(events.at(0), "\"rule\":\"shell\""));
    }
}

void the_administrator_is_left_alone() {
    for (const bool rpm : {false, true}) {
        install(rpm);
        for (const char* user : {"root", "admin"}) {
            CHECK_EQ(login(user), "in");
            CHECK(events.empty() && lines.empty());
        }
    }
}

void the_rpm_form_binds_the_account_whose_group_is_root() {
    install(true);
    CHECK_EQ(login("rpm"), "in"); // /sbin/nologin
    CHECK_EQ(events.size(), 2U);
    CHECK_EQ(login("basher"), "in"); // not the account that is named
}

void the_session_line_refuses_alone_too() {
    write_stack(shipped("session", false) + "session required pam_permit.so\naccount required pam_permit.so\n"
                                            "auth required pam_permit.so\n");
    CHECK_EQ(login("basher"), "session");
    CHECK_EQ(login("pandora"), "in");
}

} // namespace

GATE_PAM_MAIN("pam_shipped", GATE_TEST(members_with_an_allowed_shell_are_let_in),
              GATE_TEST(members_with_another_shell_are_refused), GATE_TEST(the_administrator_is_left_alone),
              GATE_TEST(the_rpm_form_binds_the_account_whose_group_is_root),
              GATE_TEST(the_session_line_refuses_alone_too))
