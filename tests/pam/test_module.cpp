// The module as a guest in sshd's process: what it links and exports, what it leaves behind, and that it is
// gone when it was unloaded.
#include "tests/pam/keys.h"

#include <array>
#include <clocale>
#include <csignal>
#include <malloc.h>
#include <memory>
#include <set>

using namespace gate;
using namespace gate::test;

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

// What sshd has loaded anyway. A distribution that links everything dynamically (STATIC=0), and the
// sanitizers, add the C++ runtime and xxHash; nothing may add more.
void it_links_libc_libpam_and_libcrypto_only() {
    std::string needed =
        output_of("readelf -dW '" + module_path() + "' | sed -n 's/.*(NEEDED).*\\[\\(.*\\)\\].*/\\1/p'");
    std::set<std::string> names; // without the version
    for (; !needed.empty(); needed.erase(0, needed.find('\n') + 1))
        names.insert(needed.substr(0, needed.find(".so")));
    std::set<std::string> allowed = {"libc", "libpam", "libcrypto", "ld-linux-x86-64", "ld-linux-aarch64"};
    if (names.contains("libstdc++"))
        allowed.insert({"libstdc++", "libgcc_s", "libm", "libxxhash", "libasan", "libubsan"});
    for (const std::string& name : names)
        CHECK_MSG(allowed.contains(name), name);
    CHECK(names.contains("libc") && names.contains("libpam") && names.contains("libcrypto"));
}

struct Process {
    std::set<std::string> descriptors;
    std::string directory = std::filesystem::current_path();
    mode_t mask = ::umask(022);
    std::vector<std::string> environment;
    std::vector<std::pair<void (*)(int), int>> handlers;
    std::vector<int> blocked; // signals
    std::string locale = std::setlocale(LC_ALL, nullptr);
    locale_t of_thread = ::uselocale(nullptr);

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
        sigset_t mask_now;
        ::sigprocmask(SIG_BLOCK, nullptr, &mask_now);
        for (int number = 1; number < NSIG; ++number) {
            if (::sigismember(&mask_now, number) == 1)
                blocked.push_back(number);
            struct sigaction action {};
            ::sigaction(number, nullptr, &action);
            handlers.emplace_back(action.sa_handler, action.sa_flags);
        }
    }
    // What is not the same any more; empty: nothing.
    [[nodiscard]] std::string difference(const Process& after) const {
        std::string out;
        const auto compare = [&out](const char* what, bool same) {
            out += same ? "" : std::string(what) + " ";
        };
        compare("descriptors", descriptors == after.descriptors);
        compare("directory", directory == after.directory);
        compare("umask", mask == after.mask);
        compare("environment", environment == after.environment);
        compare("handlers", handlers == after.handlers);
        compare("blocked", blocked == after.blocked);
        compare("locale", locale == after.locale && of_thread == after.of_thread);
        return out;
    }
};

// All that the module can be asked to read: the deny file, the keyring, the accounts.
std::string everything() {
    static_cast<void>(with_keyring());
    write_file(work_dir() + "/deny", "root\nlinked\n", 0644);
    return expand("group=pandora shell=@/usr/sbin/nologin deny=@/deny services=gate rhost=192.0.2.0/24");
}

// Each entry point once, in one transaction, with the key that is asked for on the session line.
void every_entry_point(const std::string& options, const char* user, const std::string& key) {
    std::string text;
    for (const char* phase : k_phases)
        text += std::string(phase) + " required " + module_path() + " " + options + "\n";
    write_stack(text.substr(0, text.size() - 1) + " require_key keyring=" + work_dir() + "/keyring\n");
    const Handle handle{"gate", user};
    CHECK_EQ(pam_set_item(handle.pamh, PAM_RHOST, "192.0.2.7"), PAM_SUCCESS);
    CHECK_EQ(pam_putenv(handle.pamh, auth_info(key).c_str()), PAM_SUCCESS);
    for (const pamtest_ops op : {PAMTEST_AUTHENTICATE, PAMTEST_SETCRED, PAMTEST_ACCOUNT, PAMTEST_OPEN_SESSION,
                                 PAMTEST_CLOSE_SESSION})
        static_cast<void>(operate(handle.pamh, op));
}

void it_leaves_the_process_as_it_was() {
    const std::string options = everything();
    every_entry_point(options, "pandora", k_good); // what libpam itself does once
    forget();
    const Process before;
    every_entry_point(options, "pandora", k_good);
    CHECK_EQ(events.size(), 2U); // opened and closed: it did come through
    CHECK(has(events[0], "session.opened") && has(events[1], "session.closed"));
    every_entry_point(options, "pandora", k_gone);
    every_entry_point(options, "linked", k_good); // listed
    every_entry_point(options, "admin", k_good);
    every_entry_point(options, "nobody-here", k_good);
    every_entry_point(options + " nonsense", "pandora", k_good);
    faults.read_error = EIO;
    every_entry_point(options, "pandora", k_good);
    faults.read_error = 0;
    for (const char* file : {"/deny", "/keyring"}) {
        std::filesystem::resize_file(work_dir() + file, 3);
        every_entry_point(options, "pandora", k_good);
    }
    const std::string same = before.difference(Process{});
    faults = {};
    CHECK_MSG(same.empty(), same);
}

void it_is_unmapped_with_its_handle_and_leaks_nothing() {
    const std::string options = everything();
    every_entry_point(options, "pandora", k_good);
    forget();
    const auto before = ::mallinfo2().uordblks;
    for (int i = 0; i < 100; ++i) {
        every_entry_point(options, "pandora", k_good);
        forget();
    }
    faults = {};
    CHECK(!has(read_file("/proc/self/maps"), "pam_pandora"));
    // The runtime's reserve for exceptions is 70 kB: not even one was left behind.
    const auto after = ::mallinfo2().uordblks;
    CHECK_MSG(after < before + 50'000, std::to_string(after - before) + " bytes");
}

size_t pages_mapped() {
    return std::stoul(read_file("/proc/self/statm"));
}

// As a service does that loads its modules for each login. What stays behind shows as an address space that
// grows: one page each time is 1,000 pages.
void it_can_be_loaded_and_unloaded_a_thousand_times() {
    const auto load = [] {
        void* const library = ::dlopen(module_path().c_str(), RTLD_NOW | RTLD_LOCAL);
        CHECK_MSG(library != nullptr, ::dlerror());
        CHECK(::dlsym(library, "pam_sm_acct_mgmt") != nullptr);
        CHECK_EQ(::dlclose(library), 0);
    };
    load();
    CHECK(!has(read_file("/proc/self/maps"), "pam_pandora"));
    const auto heap = ::mallinfo2().uordblks;
    const size_t pages = pages_mapped();
    for (int i = 0; i < 1000; ++i)
        load();
    CHECK(!has(read_file("/proc/self/maps"), "pam_pandora"));
#ifndef __SANITIZE_ADDRESS__ // which keeps what is freed, and looks for leaks itself
    CHECK_MSG(::mallinfo2().uordblks < heap + 50'000,
              std::to_string(::mallinfo2().uordblks - heap) + " bytes");
    CHECK_MSG(pages_mapped() < pages + 200, std::to_string(pages_mapped() - pages) + " pages");
#else
    static_cast<void>(heap + pages);
#endif
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

GATE_PAM_MAIN("pam_module", GATE_TEST(it_exports_its_entry_points_and_nothing_else),
              GATE_TEST(it_links_libc_libpam_and_libcrypto_only), GATE_TEST(it_leaves_the_process_as_it_was),
              GATE_TEST(it_is_unmapped_with_its_handle_and_leaks_nothing),
              GATE_TEST(it_can_be_loaded_and_unloaded_a_thousand_times),

              GATE_TEST(setcred_neither_fails_a_good_login_nor_makes_one), GATE_TEST(a_password_line_fails))
