// Sessions: what is said of them, and that without require_key a keyring in any condition refuses nobody.
#include "tests/pam/keys.h"

#include "lib/audit/session_id.h"

using namespace gate;
using namespace gate::test;

namespace {

// The event of an opened session with this SSH_AUTH_INFO_0 (with its name; empty: not set).
std::string opened(const std::string& options, const std::string& info) {
    const Handle handle{service(options)};
    forget();
    if (!info.empty())
        CHECK_EQ(pam_putenv(handle.pamh, info.c_str()), PAM_SUCCESS);
    CHECK_EQ(pam_open_session(handle.pamh, 0), PAM_SUCCESS);
    faults = {};
    CHECK_EQ(events.size(), 1U);
    CHECK(lines.empty());
    CHECK(has(events[0], "\"event\":\"session.opened\""));
    return events[0];
}

void a_session_names_its_key_and_its_end_how_long_it_was() {
    const Handle handle{service(with_keyring())};
    forget();
    CHECK_EQ(pam_set_item(handle.pamh, PAM_RHOST, "192.0.2.7"), PAM_SUCCESS);
    CHECK_EQ(pam_set_item(handle.pamh, PAM_TTY, "ssh"), PAM_SUCCESS);
    CHECK_EQ(pam_putenv(handle.pamh, auth_info(k_good).c_str()), PAM_SUCCESS);
    CHECK_EQ(pam_open_session(handle.pamh, 0), PAM_SUCCESS);
    ::usleep(20'000);
    CHECK_EQ(pam_close_session(handle.pamh, 0), PAM_SUCCESS);
    faults = {};
    CHECK_EQ(events.size(), 2U);
    const std::string fingerprint = keyring::format_fingerprint(sha256(as_bytes(k_good)));
    const std::string common = "\"session\":\"" + audit::session_id(::getpid()) +
                               "\",\"user\":\"pandora\",\"service\":\"gate\",\"rhost\":\"192.0.2.7\","
                               "\"tty\":\"ssh\",";
    CHECK_MSG(events[0].ends_with(common + "\"auth\":\"publickey\",\"key\":\"k-good\",\"fingerprint\":\"" +
                                  fingerprint + "\",\"key_state\":\"active\",\"generation\":7}"),
              events[0]);
    CHECK(has(events[1], "\"event\":\"session.closed\""));
    CHECK_MSG(has(events[1],
                  common + "\"key\":\"k-good\",\"fingerprint\":\"" + fingerprint + "\",\"duration_ms\":"),
              events[1]);
    CHECK(!has(events[1], "\"duration_ms\":0}"));
}

void every_key_and_keyring_has_its_own_words() {
    CHECK(has(opened(with_keyring(), auth_info(k_gone)), "\"key\":\"k-gone\""));
    CHECK(has(events[0], "\"key_state\":\"revoked\""));
    CHECK(has(opened(with_keyring(), auth_info(k_old)), "\"key\":\"k-old\""));
    CHECK(has(events[0], "\"key_state\":\"expired\""));
    CHECK(has(opened(with_keyring(), auth_info(k_early)), "\"key_state\":\"not yet valid\""));
    CHECK(has(opened(with_keyring(), auth_info(k_off)), "\"key_state\":\"disabled\""));
    CHECK(has(opened(with_keyring(), auth_info("no such key")), "\"key_state\":\"unknown\""));
    CHECK(!has(events[0], "\"key\":"));
    CHECK(
        has(opened(with_keyring(), "SSH_AUTH_INFO_0=password\n"), "\"auth\":\"password\",\"generation\":7"));
    CHECK(!has(events[0], "fingerprint"));
    CHECK(!has(opened(with_keyring(), ""), "\"auth\":"));
    CHECK(!has(opened(with_keyring(), "SSH_AUTH_INFO_0=publickey ssh-ed25519 !!!"), "fingerprint"));
}

void an_unusable_keyring_is_said_and_refuses_nobody() {
    const std::string options = with_keyring();
    const std::string path = work_dir() + "/keyring";
    const std::string whole = read_file(path);
    const auto trouble = [&](const std::string& bytes) {
        write_file(path, bytes);
        faults.root_owns_all = true;
        return opened(options, auth_info(k_good));
    };
    CHECK(has(trouble(whole.substr(0, 100)), "\"keyring\":\""));
    CHECK(has(trouble(whole.substr(0, whole.size() - 1)), "\"keyring\":\""));
    CHECK(has(trouble(std::string(4096, 'x')), "\"keyring\":\""));
    CHECK(has(trouble(""), "\"keyring\":\""));
    std::string flipped = whole;
    flipped[whole.size() / 2] = static_cast<char>(flipped[whole.size() / 2] ^ 1);
    CHECK(!has(trouble(flipped), "\"key_state\":\"unknown\""));
    write_file(path, whole, 0666);
    faults.root_owns_all = true;
    CHECK(has(opened(options, auth_info(k_good)), "file is writable by group or others"));
    ::unlink(path.c_str());
    CHECK(has(opened(options, auth_info(k_good)),
              "\"keyring\":\"file is missing: No such file or directory\""));
}

// Code of closing on a new handle, alone in its stack; libpam shows PAM_IGNORE as PAM_PERM_DENIED.
void a_session_that_was_not_opened_is_not_closed() {
    CHECK_EQ(module_code("user=pandora", PAMTEST_CLOSE_SESSION, "pandora"), PAM_IGNORE);
    CHECK(events.empty());
    const Handle handle{service("user=pandora"), "admin"};
    CHECK_EQ(pam_open_session(handle.pamh, 0), PAM_SESSION_ERR);
    forget();
    CHECK_EQ(pam_close_session(handle.pamh, 0), PAM_PERM_DENIED);
    CHECK(events.empty());
}

void a_session_is_closed_once_and_can_be_opened_again() {
    const Handle handle{service(with_keyring())};
    forget();
    for (int i = 0; i < 2; ++i) {
        CHECK_EQ(pam_open_session(handle.pamh, 0), PAM_SUCCESS);
        CHECK_EQ(pam_close_session(handle.pamh, 0), PAM_SUCCESS);
    }
    CHECK_EQ(events.size(), 4U);
    static_cast<void>(pam_close_session(handle.pamh, 0));
    CHECK_EQ(events.size(), 4U);
    faults = {};
}

void a_user_removed_meanwhile_is_closed_all_the_same() {
    const Handle handle{service(with_keyring())};
    CHECK_EQ(pam_open_session(handle.pamh, 0), PAM_SUCCESS);
    faults.getpwnam_error = ENOENT;
    forget();
    CHECK_EQ(pam_close_session(handle.pamh, 0), PAM_SUCCESS);
    faults = {};
    CHECK(has(events.at(0), "session.closed"));
}

void users_outside_leave_no_trace() {
    const Handle handle{service("user=pandora scope=members", true), "admin"};
    forget();
    CHECK_EQ(pam_open_session(handle.pamh, 0), PAM_SUCCESS);
    CHECK_EQ(pam_close_session(handle.pamh, 0), PAM_SUCCESS);
    CHECK(events.empty() && lines.empty());
}

} // namespace

GATE_PAM_MAIN("pam_session", GATE_TEST(a_session_names_its_key_and_its_end_how_long_it_was),
              GATE_TEST(every_key_and_keyring_has_its_own_words),
              GATE_TEST(an_unusable_keyring_is_said_and_refuses_nobody),
              GATE_TEST(a_session_that_was_not_opened_is_not_closed),
              GATE_TEST(a_session_is_closed_once_and_can_be_opened_again),
              GATE_TEST(a_user_removed_meanwhile_is_closed_all_the_same),
              GATE_TEST(users_outside_leave_no_trace))
