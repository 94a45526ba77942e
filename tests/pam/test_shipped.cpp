// The lines of conf/pam.d/pandora-gate.snippet, as they are shipped, in front of what Debian's sshd has.
#include "tests/pam/keys.h"

#include <filesystem>
#include <sstream>

using namespace gate;
using namespace gate::test;

namespace {

void replace(std::string& line, std::string_view what, const std::string& by) {
    const size_t at = line.find(what);
    CHECK_MSG(at != std::string::npos, line);
    line.replace(at, what.size(), by);
}

// The lines of one phase, pam_pandora.so replaced by the module under test, and the files that its options
// name by those of the test's directory.
std::string shipped(const std::string& file, const std::string& phase, bool rpm) {
    std::istringstream text{read_file("conf/pam.d/" + file)};
    std::string out;
    for (std::string line; std::getline(text, line);) {
        if (!line.starts_with(phase))
            continue;
        if (has(line, "pam_pandora.so")) {
            replace(line, "pam_pandora.so", module_path());
            if (has(line, "shell="))
                replace(line, "shell=/usr/sbin/nologin", "shell=" + work_dir() + "/usr/sbin/nologin");
            if (has(line, "deny="))
                replace(line, "deny=/etc/ftpusers", "deny=" + work_dir() + "/ftpusers");
            if (has(line, "require_key"))
                line += " keyring=" + work_dir() + "/keyring";
            if (rpm)
                replace(line, "group=pandora", "user=rpm");
        }
        out += line + "\n";
    }
    CHECK(!out.empty());
    return out;
}

std::string shipped(const std::string& phase, bool rpm) {
    return shipped("pandora-gate.snippet", phase, rpm);
}

void install(bool rpm) {
    static_cast<void>(with_keyring()); // root's, from here on
    std::string text;
    for (const std::string phase : {"account", "session"})
        text += shipped(phase, rpm) + phase + " [success=1 default=ignore] pam_permit.so\n" + phase +
                " requisite pam_deny.so\n" + phase + " required pam_permit.so\n";
    write_stack(text + "auth required pam_permit.so\n");
}

// account, setcred, open_session, close_session: a public-key login of sshd. "in", or the phase that refused.
std::string login(const char* user, const std::string& info = auth_info(k_good)) {
    const Handle handle{"gate", user};
    forget();
    CHECK_EQ(pam_putenv(handle.pamh, info.c_str()), PAM_SUCCESS);
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

void members_without_an_active_key_are_refused() {
    install(false);
    for (const std::string& info :
         {auth_info(k_gone), auth_info(k_old), auth_info("a line in authorized_keys"),
          std::string("SSH_AUTH_INFO_0=password\n")}) {
        CHECK_EQ(login("pandora", info), "session");
        CHECK(has(events.at(0), "\"rule\":\"key\""));
    }
    CHECK_EQ(login("pandora"), "in");
    CHECK_EQ(login("admin", "SSH_AUTH_INFO_0=password\n"), "in");
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
    static_cast<void>(with_keyring());
    write_stack(shipped("session", false) + "session required pam_permit.so\naccount required pam_permit.so\n"
                                            "auth required pam_permit.so\n");
    CHECK_EQ(login("basher"), "session");
    CHECK_EQ(login("pandora"), "in");
}

// conf/pam.d/pandora-ftp with pam_permit.so in the place of pam_unix.so: the password is right.
void install_ftp(bool rpm) {
    std::string text;
    for (const std::string phase : {"auth", "account", "session", "password"})
        text += shipped("pandora-ftp", phase, false);
    for (size_t at = 0; (at = text.find("pam_unix.so", at)) != std::string::npos;)
        text.replace(at, 11, "pam_permit.so");
    for (size_t at = 0; rpm && (at = text.find("group=pandora", at)) != std::string::npos;)
        text.replace(at, 13, "user=rpm");
    write_stack(text);
    write_file(work_dir() + "/ftpusers", "# nobody yet\nroot\n");
    faults.root_owns_all = true;
}

// auth, account, setcred, and sessions with session_support=YES: vsftpd.
std::string ftp_login(const char* user) {
    const Handle handle{"gate", user};
    forget();
    if (pam_authenticate(handle.pamh, 0) != PAM_SUCCESS)
        return "auth";
    if (pam_acct_mgmt(handle.pamh, 0) != PAM_SUCCESS)
        return "account";
    if (pam_setcred(handle.pamh, PAM_ESTABLISH_CRED) != PAM_SUCCESS)
        return "setcred";
    if (pam_open_session(handle.pamh, 0) != PAM_SUCCESS)
        return "session";
    return pam_close_session(handle.pamh, 0) == PAM_SUCCESS ? "in" : "close";
}

void ftp_is_for_members_with_an_allowed_shell_only() {
    install_ftp(false);
    for (const char* user : {"pandora", "second", "linked"})
        CHECK_EQ(ftp_login(user), "in");
    for (const char* user : {"basher", "admin", "root", "rpm", "nobody-here"})
        CHECK_EQ(ftp_login(user), "auth");
    install_ftp(true);
    CHECK_EQ(ftp_login("rpm"), "in");
    CHECK_EQ(ftp_login("pandora"), "auth");
    faults = {};
}

void ftp_is_not_for_who_is_listed_in_ftpusers() {
    install_ftp(false);
    write_file(work_dir() + "/ftpusers", "root\npandora\n");
    CHECK_EQ(ftp_login("pandora"), "auth");
    CHECK(has(events.at(0), "\"rule\":\"deny\""));
    CHECK_EQ(ftp_login("second"), "in");
    ::unlink((work_dir() + "/ftpusers").c_str());
    CHECK_EQ(ftp_login("pandora"), "in");
    CHECK_EQ(::symlink("/dev/null", (work_dir() + "/ftpusers").c_str()), 0);
    CHECK_EQ(ftp_login("second"), "auth");
    ::unlink((work_dir() + "/ftpusers").c_str());
    faults = {};
}

void ftp_needs_the_password_and_includes_nothing() {
    const std::string text = read_file("conf/pam.d/pandora-ftp");
    std::istringstream lines_of{text};
    int lines_seen = 0;
    for (std::string line; std::getline(lines_of, line);) {
        if (line.empty() || line.starts_with('#'))
            continue;
        ++lines_seen;
        CHECK_MSG(has(line, " requisite ") && !has(line, "nullok") && !has(line, "include"), line);
    }
    CHECK_EQ(lines_seen, 6);
    CHECK(has(text, "\nauth      requisite  pam_unix.so nodelay\n"));
    install_ftp(false);
    std::string stack = read_file(work_dir() + "/stack");
    replace(stack, "pam_permit.so", "pam_deny.so"); // the first of them: a wrong password
    write_stack(stack);
    CHECK_EQ(ftp_login("pandora"), "auth");
    faults = {};
}

// The service of these tests is called "gate".
void services_confine_members_and_nobody_else() {
    const std::string line = shipped("pandora-services.snippet", "account", false);
    CHECK(has(line, "services=sshd,pandora-ftp"));
    write_stack(line + "account required pam_permit.so\n");
    CHECK_EQ(stack_code("gate", PAMTEST_ACCOUNT, "admin"), PAM_SUCCESS);
    CHECK_EQ(stack_code("gate", PAMTEST_ACCOUNT, "root"), PAM_SUCCESS);
    forget();
    CHECK_EQ(stack_code("gate", PAMTEST_ACCOUNT, "pandora"), PAM_PERM_DENIED);
    CHECK(has(events.at(0), "\"rule\":\"services\""));
    std::string allowed = line;
    replace(allowed, "services=sshd", "services=gate");
    write_stack(allowed + "account required pam_permit.so\n");
    CHECK_EQ(stack_code("gate", PAMTEST_ACCOUNT, "pandora"), PAM_SUCCESS);
}

} // namespace

GATE_PAM_MAIN("pam_shipped", GATE_TEST(members_with_an_allowed_shell_are_let_in),
              GATE_TEST(members_with_another_shell_are_refused),
              GATE_TEST(members_without_an_active_key_are_refused),
              GATE_TEST(the_administrator_is_left_alone),
              GATE_TEST(the_rpm_form_binds_the_account_whose_group_is_root),
              GATE_TEST(the_session_line_refuses_alone_too),
              GATE_TEST(ftp_is_for_members_with_an_allowed_shell_only),
              GATE_TEST(ftp_is_not_for_who_is_listed_in_ftpusers),
              GATE_TEST(ftp_needs_the_password_and_includes_nothing),
              GATE_TEST(services_confine_members_and_nobody_else))
