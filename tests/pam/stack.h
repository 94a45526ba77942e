// PAM stacks of one line of ours, and what they answer.
#pragma once

#include "tests/pam/harness.h"

namespace gate::test {

inline constexpr const char* k_phases[] = {"auth", "account", "session"};

// Writes the stack of the service "gate". pam_wrapper copies the service directory once, so what lies there
// (write_accounts) only includes this file, which libpam reads anew for each handle.
inline void write_stack(const std::string& text) {
    write_file(work_dir() + "/stack", text);
}

// Every phase `required` pam_pandora.so with these options; `permit` adds pam_permit.so. Returns the service.
[[nodiscard]] inline std::string service(std::string_view options, bool permit = false) {
    std::string text;
    for (const char* phase : k_phases) {
        text += std::string(phase) + " required " + module_path() + " " + std::string(options) + "\n";
        if (permit)
            text += std::string(phase) + " required pam_permit.so\n";
    }
    write_stack(text);
    return "gate";
}

inline void forget() {
    events.clear();
    lines.clear();
}

// A transaction of its own whose conversation answers nothing.
struct Handle {
    explicit Handle(const std::string& name, const char* user = "pandora") {
        CHECK_EQ(pam_start(name.c_str(), user, &conversation, &pamh), PAM_SUCCESS);
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() { pam_end(pamh, PAM_SUCCESS); }

    static int refuse(int, const pam_message**, pam_response**, void*) { return PAM_CONV_ERR; }
    pam_conv conversation{&refuse, nullptr};
    pam_handle_t* pamh = nullptr;
};

// The code a stack returns for one operation on a new handle.
[[nodiscard]] inline int stack_code(const std::string& name, pamtest_ops op, const char* user) {
    pamtest_conv_data conversation{};
    pam_testcase cases[] = {{op, PAM_SUCCESS, 0, 0, {nullptr}}};
    const pamtest_err error = _pamtest(name.c_str(), user, &conversation, cases, 1, nullptr);
    CHECK_MSG(error == PAMTEST_ERR_OK || error == PAMTEST_ERR_CASE, "libpamtest: " + std::to_string(error));
    return cases[0].op_rv;
}

// The code the MODULE returned. libpam hides PAM_IGNORE: alone in a stack it ends as PAM_PERM_DENIED, before
// pam_permit as PAM_SUCCESS. Events and lines are those of the first of the two calls.
[[nodiscard]] inline int module_code(std::string_view options, pamtest_ops op, const char* user) {
    forget();
    const int alone = stack_code(service(options), op, user);
    const auto said_events = events;
    const auto said_lines = lines;
    const int before_permit = stack_code(service(options, true), op, user);
    events = said_events;
    lines = said_lines;
    return alone == PAM_PERM_DENIED && before_permit == PAM_SUCCESS ? PAM_IGNORE : alone;
}

[[nodiscard]] inline int operate(pam_handle_t* pamh, pamtest_ops op) {
    switch (op) {
    case PAMTEST_AUTHENTICATE:
        return pam_authenticate(pamh, 0);
    case PAMTEST_SETCRED:
        return pam_setcred(pamh, PAM_ESTABLISH_CRED);
    case PAMTEST_ACCOUNT:
        return pam_acct_mgmt(pamh, 0);
    case PAMTEST_OPEN_SESSION:
        return pam_open_session(pamh, 0);
    case PAMTEST_CLOSE_SESSION:
        return pam_close_session(pamh, 0);
    default:
        return -1;
    }
}

// As module_code(), on handles that prepare(pamh) has set up: PAM_RHOST, the environment.
template<class Prepare>
[[nodiscard]] int module_code(std::string_view options, pamtest_ops op, const char* user, Prepare&& prepare) {
    const auto once = [&](bool permit) {
        const Handle handle{service(options, permit), user};
        prepare(handle.pamh);
        forget();
        return operate(handle.pamh, op);
    };
    const int before_permit = once(true);
    const int alone = once(false);
    return alone == PAM_PERM_DENIED && before_permit == PAM_SUCCESS ? PAM_IGNORE : alone;
}

// "@" in options stands for the test's directory.
[[nodiscard]] inline std::string expand(std::string_view options) {
    std::string out;
    for (const char c : options)
        out += c == '@' ? work_dir() : std::string(1, c);
    return out;
}

[[nodiscard]] inline std::string name_of(int code) {
    return std::to_string(code) + " (" + pam_strerror(nullptr, code) + ")";
}

[[nodiscard]] inline bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

} // namespace gate::test
