// The module as a guest in sshd's process: what it exports, what it leaves behind, and that nothing - an
// exception, a failed allocation, a service without a user - turns into a login.
#include "tests/pam/stack.h"

#include <array>
#include <clocale>
#include <csignal>
#include <malloc.h>
#include <memory>
#include <set>

using namespace gate;
using namespace gate::test;

#ifndef __SANITIZE_ADDRESS__
// One allocation of the process can be made to fail, the module's operator new among them.
extern "C" void* __libc_malloc(size_t size);
static bool and_after = false; // and all later ones
GATE_STAND_IN void* malloc(size_t size) noexcept {
    if (gate::test::fail_at > 0 && --gate::test::fail_at == 0) {
        gate::test::fail_at = and_after ? 1 : 0;
        errno = ENOMEM;
        return nullptr;
    }
    return __libc_malloc(size);
}
#endif

namespace {

// Without the wrappers: in a shell that execs, pam_wrapper would leave its directory behind.
std::string output_of(const std::string& command) {
    const std::string preload = std::getenv("LD_PRELOAD");
    ::unsetenv("LD_PRELOAD");
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe{::popen(command.c_str(), "r"), ::pclose};
    ::setenv("LD_PRELOAD", preload.c_str(), 1);
    CHECK(pipe != nullptr);
    std::string out;
    std::array<char, 4096> block{};
    while (const size_t n = std::fread(block.data(), 1, block.size(), pipe.get()))
        out.append(block.data(), n);
    return out;
}

void it_exports_its_entry_points_and_nothing_else() {
    std::string symbols = output_of("nm -D --defined-only --format=posix '" + module_path() + "'");
    std::set<std::string> seen;
    while (!symbols.empty()) {
        const std::string line = symbols.substr(0, symbols.find('\n'));
        symbols.erase(0, line.size() + 1);
        seen.insert(
            line.substr(0, line.find(' ', line.find(' ') + 1))); // name and kind; 'u' is STB_GNU_UNIQUE
    }
    const std::set<std::string> expected = {"pam_sm_acct_mgmt T", "pam_sm_authenticate T",
                                            "pam_sm_close_session T", "pam_sm_open_session T",
                                            "pam_sm_setcred T"};
    for (const std::string& symbol : seen)
        CHECK_MSG(expected.contains(symbol), "exported: " + symbol);
    CHECK_EQ(seen.size(), expected.size());
}

void it_loads_no_library_that_sshd_should_not_have() {
    const std::string needed = output_of("readelf -dW '" + module_path() + "' | grep NEEDED");
    CHECK(has(needed, "libpam.so"));
    for (const char* banned : {"systemd", "sqlite", "soci", "curl", "libpq", "fmt", "libseccomp", "libcap"})
        CHECK_MSG(!has(needed, banned), needed);
}

// A login through every phase, as sshd and vsftpd do it.
int whole_login(const std::string& options, const char* user) {
    const std::string name = service(options);
    pamtest_conv_data conversation{};
    pam_testcase cases[] = {{PAMTEST_AUTHENTICATE, PAM_SUCCESS, 0, 0, {nullptr}},
                            {PAMTEST_ACCOUNT, PAM_SUCCESS, 0, 0, {nullptr}},
                            {PAMTEST_OPEN_SESSION, PAM_SUCCESS, 0, 0, {nullptr}},
                            {PAMTEST_CLOSE_SESSION, PAM_SUCCESS, 0, 0, {nullptr}}};
    return _pamtest(name.c_str(), user, &conversation, cases, 4, nullptr);
}

struct Process {
    std::set<std::string> descriptors;
    std::string directory = std::filesystem::current_path();
    mode_t mask = ::umask(022);
    std::vector<std::string> environment;
    std::vector<std::pair<void (*)(int), int>> handlers;
    std::string locale = std::setlocale(LC_ALL, nullptr);

    Process() {
        ::umask(mask);
        for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
            std::error_code gone; // the listing's own descriptor
            const auto target = std::filesystem::read_symlink(entry.path(), gone);
            if (!gone && !has(target.string(), "/fd"))
                descriptors.insert(entry.path().string() + target.string());
        }
        for (char** variable = environ; *variable != nullptr; ++variable)
            environment.emplace_back(*variable);
        for (int number = 1; number < NSIG; ++number) {
            struct sigaction action {};
            ::sigaction(number, nullptr, &action);
            handlers.emplace_back(action.sa_handler, action.sa_flags);
        }
    }
    bool operator==(const Process&) const = default;
};

void it_leaves_the_process_as_it_was() {
    CHECK_EQ(whole_login("user=pandora", "pandora"), PAMTEST_ERR_OK); // what libpam itself does once
    const Process before;
    CHECK_EQ(whole_login("user=pandora", "pandora"), PAMTEST_ERR_OK);
    CHECK_EQ(whole_login("user=pandora", "admin"), PAMTEST_ERR_CASE);
    CHECK_EQ(whole_login("nonsense", "admin"), PAMTEST_ERR_CASE);
    CHECK(before == Process{});
}

void it_is_unmapped_with_its_handle_and_leaks_nothing() {
    CHECK_EQ(whole_login("user=pandora", "pandora"), PAMTEST_ERR_OK);
    forget();
    const auto before = ::mallinfo2().uordblks;
    for (int i = 0; i < 100; ++i)
        CHECK_EQ(whole_login("user=pandora", "pandora"), PAMTEST_ERR_OK);
    CHECK(!has(read_file("/proc/self/maps"), "pam_pandora"));
    forget();
    // The runtime's reserve for exceptions is 70 kB: not even one was left behind.
    const auto after = ::mallinfo2().uordblks;
    CHECK_MSG(after < before + 50'000, std::to_string(after - before) + " bytes");
}

#ifndef __SANITIZE_ADDRESS__
struct Attempt {
    int code;
    bool reached; // an allocation did fail
};

// One operation with the n-th allocation failing, and with `all_after` every later one too.
Attempt with_failing_memory(pamtest_ops op, const char* user, long n, bool all_after) {
    const Handle handle{"gate", user};
    forget();
    and_after = all_after;
    fail_at = n;
    const int code = op == PAMTEST_AUTHENTICATE ? pam_authenticate(handle.pamh, 0)
                     : op == PAMTEST_ACCOUNT    ? pam_acct_mgmt(handle.pamh, 0)
                                                : pam_open_session(handle.pamh, 0);
    const bool reached = fail_at == 0 || (all_after && fail_at == 1);
    fail_at = 0;
    return {code, reached};
}

// pam_permit follows in the stack: PAM_IGNORE would show as PAM_SUCCESS, too.
void a_failed_allocation_never_lets_anybody_in() {
    for (const char* user : {"basher", "second"}) {
        for (const pamtest_ops op : {PAMTEST_AUTHENTICATE, PAMTEST_ACCOUNT, PAMTEST_OPEN_SESSION}) {
            for (const bool all_after : {false, true}) {
                static_cast<void>(service("group=pandora scope=members shell=/bin/false", true));
                long n = 1;
                for (;; ++n) {
                    const Attempt attempt = with_failing_memory(op, user, n, all_after);
                    CHECK_MSG(attempt.code != PAM_SUCCESS, std::to_string(n) + "th allocation");
                    if (!attempt.reached)
                        break;
                }
                CHECK(n > 10);
            }
        }
    }
}
#endif

void a_service_without_a_user_is_refused_in_every_phase() {
    for (const char* options :
         {"user=pandora", "user=pandora scope=members", "group=pandora scope=members"}) {
        for (const auto phase : {pam_authenticate, pam_acct_mgmt, pam_open_session}) {
            const Handle handle{service(options, true), nullptr};
            forget();
            CHECK_EQ(phase(handle.pamh, 0), PAM_SERVICE_ERR);
            CHECK(has(events.at(0), "the service gave no user name"));
        }
    }
}

// The code of pam_setcred() after (or without) pam_authenticate(), in a stack with and without pam_permit.
int setcred_after(const char* user, bool authenticate, bool permit) {
    const Handle handle{service("user=pandora scope=members", permit), user};
    if (authenticate)
        static_cast<void>(pam_authenticate(handle.pamh, 0));
    return pam_setcred(handle.pamh, PAM_ESTABLISH_CRED);
}

void setcred_neither_fails_a_good_login_nor_makes_one() {
    for (const char* user : {"pandora", "admin"}) {
        CHECK_EQ(setcred_after(user, false, true), PAM_SUCCESS); // sshd with a public key
        CHECK_EQ(setcred_after(user, true, true), PAM_SUCCESS);
        CHECK_EQ(setcred_after(user, false, false), PAM_PERM_DENIED); // nobody established anything
    }
    CHECK_EQ(setcred_after("nobody-here", true, true), PAM_PERM_DENIED); // refused by auth: stays so
}

void a_password_line_fails() {
    write_stack("password required " + module_path() + " user=pandora\n");
    CHECK_EQ(stack_code("gate", PAMTEST_CHAUTHTOK, "pandora"), PAM_MODULE_UNKNOWN);
}

} // namespace

#ifndef __SANITIZE_ADDRESS__
#define MEMORY_TESTS GATE_TEST(a_failed_allocation_never_lets_anybody_in),
#else
#define MEMORY_TESTS
#endif
GATE_PAM_MAIN("pam_module", GATE_TEST(it_exports_its_entry_points_and_nothing_else),
              GATE_TEST(it_loads_no_library_that_sshd_should_not_have),
              GATE_TEST(it_leaves_the_process_as_it_was),
              GATE_TEST(it_is_unmapped_with_its_handle_and_leaks_nothing),
              MEMORY_TESTS GATE_TEST(a_service_without_a_user_is_refused_in_every_phase),
              GATE_TEST(setcred_neither_fails_a_good_login_nor_makes_one), GATE_TEST(a_password_line_fails))
