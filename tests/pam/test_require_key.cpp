// require_key: which logins may open a session, under libpam and with a real keyring.
#include "tests/pam/keys.h"

using namespace gate;
using namespace gate::test;

namespace {

int open_with(const std::string& options, const std::string& info, const char* user = "pandora") {
    return module_code(options, PAMTEST_OPEN_SESSION, user, [&](pam_handle_t* pamh) {
        if (!info.empty())
            CHECK_EQ(pam_putenv(pamh, info.c_str()), PAM_SUCCESS);
    });
}

std::string line_of(const std::string& blob) {
    return auth_info(blob).substr(std::string_view("SSH_AUTH_INFO_0=").size());
}

void an_active_key_passes() {
    const std::string options = with_keyring("require_key");
    CHECK_EQ(open_with(options, auth_info(k_good)), PAM_SUCCESS);
    CHECK(has(events.at(0), "session.opened") && has(events[0], "\"key\":\"k-good\""));
    CHECK_EQ(open_with(options, auth_info(k_good) + "password\n"), PAM_SUCCESS); // and a second factor
    faults = {};
}

struct Row {
    std::string info;
    const char* reason;
    const char* key;
};

void everything_else_is_refused_and_the_audit_says_which_key() {
    const std::string good = auth_info(k_good);
    const Row rows[] = {
        {auth_info(k_gone), "the key is revoked", "k-gone"},
        {auth_info(k_old), "the key is expired", "k-old"},
        {auth_info(k_early), "the key is not yet valid", "k-early"},
        {auth_info(k_off), "the key is disabled", "k-off"},
        {auth_info("a line in authorized_keys"), "not in the keyring", ""},
        {"SSH_AUTH_INFO_0=password\n", "without a public key, by password", ""},
        {"SSH_AUTH_INFO_0=keyboard-interactive/pam\n", "without a public key", ""},
        {"SSH_AUTH_INFO_0=publickey ssh-ed25519 !!!\n", "cannot be read", ""},
        {"SSH_AUTH_INFO_0=publickey\n", "cannot be read", ""},
        {"SSH_AUTH_INFO_0=publickey ssh-ed25519\n", "cannot be read", ""},
        {"SSH_AUTH_INFO_0=", "does not say how", ""},
        {"SSH_AUTH_INFO_0=\n\n", "does not say how", ""},
        {"", "does not say how", ""},
        {good + line_of(k_good), "more than one public key", ""},
        {good + line_of(k_gone), "more than one public key", ""},
        {auth_info(k_gone) + line_of(k_good), "more than one public key", ""},
        {"SSH_AUTH_INFO_0=publickey\n" + line_of(k_good), "more than one public key", ""},
        {"SSH_AUTH_INFO_0= " + line_of(k_good), "does not say how", ""},
        {"SSH_AUTH_INFO_0=Publickey" + line_of(k_good).substr(9), "without a public key", ""},
    };
    const std::string options = with_keyring("require_key");
    for (const Row& row : rows) {
        const int code = open_with(options, row.info);
        CHECK_MSG(code == PAM_SESSION_ERR, row.info + name_of(code));
        CHECK_MSG(events.size() == 1 && lines.size() == 1, row.info);
        CHECK_MSG(has(events[0], "\"event\":\"login.refused\"") && has(events[0], "\"rule\":\"key\"") &&
                      has(events[0], "\"phase\":\"session\"") && has(events[0], row.reason),
                  events[0]);
        CHECK_MSG(has(events[0], "\"key\":\"") == (row.key[0] != '\0'), events[0]);
        CHECK_MSG(row.key[0] == '\0' ||
                      has(events[0], "\"key\":\"" + std::string(row.key) + "\",\"fingerprint\":\"SHA256:"),
                  events[0]);
    }
    CHECK_EQ(open_with(options, good), PAM_SUCCESS); // the control
    faults = {};
}

void a_keyring_in_trouble_refuses_every_key() {
    const std::string options = with_keyring("require_key quiet");
    const std::string path = work_dir() + "/keyring";
    const std::string whole = read_file(path);
    const auto refused = [&](const std::string& words) {
        faults.root_owns_all = true;
        const int code = open_with(options, auth_info(k_good));
        faults = {};
        CHECK_MSG(code == PAM_SESSION_ERR, words + name_of(code));
        CHECK_MSG(has(events.at(0), "\"rule\":\"key\"") && has(events[0], words), events[0]);
        CHECK_EQ(lines.size(), 1U); // an error, quiet or not
    };
    for (const size_t size : {size_t{0}, size_t{100}, whole.size() - 1}) {
        write_file(path, whole.substr(0, size), 0644);
        refused("the keyring cannot be read");
    }
    write_file(path, std::string(whole.size(), 'x'), 0644);
    refused("the keyring cannot be read");
    write_file(path, whole, 0666);
    refused("writable by group or others");
    ::unlink(path.c_str());
    refused("file is missing");
    CHECK_EQ(::symlink("elsewhere", path.c_str()), 0);
    refused("symbolic link");
    ::unlink(path.c_str());
    write_file(path, whole, 0644);
    faults.nobody_owns_all = true;
    CHECK_EQ(open_with(options, auth_info(k_good)), PAM_SESSION_ERR);
    faults = {.root_owns_all = true};
    CHECK_EQ(open_with(options, auth_info(k_good)), PAM_SUCCESS); // the control
    faults = {};
}

// Every byte, one after another: a key may be lost in a damaged keyring, none may turn good in one.
void a_flipped_bit_never_makes_a_revoked_key_good() {
    const std::string options = with_keyring("require_key");
    const std::string path = work_dir() + "/keyring";
    const std::string whole = read_file(path);
    auto random = seeded();
    int unharmed = 0;
    for (int i = 0; i < 400; ++i) {
        std::string damaged = whole;
        const size_t at = random() % whole.size();
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << random() % 8));
        write_file(path, damaged, 0644);
        CHECK_EQ(open_with(options, auth_info(k_gone)), PAM_SESSION_ERR);
        unharmed += open_with(options, auth_info(k_good)) == PAM_SUCCESS ? 1 : 0;
    }
    CHECK_MSG(unharmed < 400, std::to_string(unharmed));
    faults = {};
}

void who_is_not_meant_needs_no_key() {
    const std::string options = with_keyring("require_key"); // user=pandora scope=members
    for (const char* user : {"admin", "root"}) {
        CHECK_EQ(open_with(options, "", user), PAM_IGNORE);
        CHECK(events.empty());
    }
    faults = {};
}

void a_refused_session_is_not_open() {
    const Handle handle{service(with_keyring("require_key"))};
    CHECK_EQ(pam_putenv(handle.pamh, auth_info(k_gone).c_str()), PAM_SUCCESS);
    CHECK_EQ(pam_open_session(handle.pamh, 0), PAM_SESSION_ERR);
    forget();
    CHECK_EQ(pam_close_session(handle.pamh, 0), PAM_PERM_DENIED); // PAM_IGNORE alone in its stack
    CHECK(events.empty());
    faults = {};
}

} // namespace

GATE_PAM_MAIN("pam_require_key", GATE_TEST(an_active_key_passes),
              GATE_TEST(everything_else_is_refused_and_the_audit_says_which_key),
              GATE_TEST(a_keyring_in_trouble_refuses_every_key),
              GATE_TEST(a_flipped_bit_never_makes_a_revoked_key_good),
              GATE_TEST(who_is_not_meant_needs_no_key), GATE_TEST(a_refused_session_is_not_open))
