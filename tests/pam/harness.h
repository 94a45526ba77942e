// Runs pam_pandora.so under libpam without root and without the machine's accounts: the program starts itself
// again under pam_wrapper and nss_wrapper, with a passwd, a group and a service directory of its own.
//
// The program also stands in front of a few functions the module calls (the executable is first in the search
// order of symbols): a look-up can be made to fail, what goes to the loggers is kept instead of sent.
// Include it in one file of a program only.
#pragma once

#include "tests/unit/support.h"

#include <security/pam_appl.h>
// The header does not say so itself.
extern "C" {
#include <libpamtest.h>
}

#include <cstdarg>
#include <dlfcn.h>
#include <grp.h>
#include <link.h>
#include <pwd.h>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <vector>

namespace gate::test {

// What the stand-ins do, and what they saw.
struct Faults {
    int getpwnam_error = 0;         // errno that getpwnam_r returns, 0 = works
    int getgrnam_error = 0;         // the same for getgrnam_r
    int interruptions = 0;          // so many times getpwnam_r returns EINTR, before it works
    bool getgrouplist_lost = false; // getgrouplist knows only the primary group, as when a service is away
    bool getgrouplist_fails = false;
    bool root_owns_all = false;    // fstat says so: the keyring must be root's, the tester need not be
    bool nobody_owns_all = false;  // the opposite, for a tester who is root
    bool alias_of_pandora = false; // the name service knows "alias", and spells it "pandora"
    bool no_service = false;       // the transaction has no PAM_SERVICE
    int read_error = 0;            // errno of every read(), 0 = works
};
inline Faults faults;
inline std::size_t largest_buffer = 0; // that getpwnam_r was given
// Allocations to go until one fails (malloc, in programs that stand in for it), 0 = none will.
inline long fail_at = 0;
// While a stand-in works, no allocation fails: it is not the module's.
struct Unfailing {
    long saved = std::exchange(fail_at, 0);
    Unfailing() = default;
    Unfailing(const Unfailing&) = delete;
    Unfailing& operator=(const Unfailing&) = delete;
    ~Unfailing() { fail_at = saved; }
};

inline std::vector<std::string> events; // datagrams for /dev/log
inline std::vector<std::string> lines;  // of pam_syslog

template<class Function>
[[nodiscard]] Function next(const char* name) {
    return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

} // namespace gate::test

#define GATE_STAND_IN extern "C" __attribute__((visibility("default"), used))

GATE_STAND_IN int getpwnam_r(const char* name, passwd* entry, char* buffer, size_t size, passwd** found) {
    static const auto real = gate::test::next<decltype(&getpwnam_r)>("getpwnam_r");
    if (gate::test::faults.alias_of_pandora && std::string_view(name) == "alias")
        name = "pandora";
    gate::test::largest_buffer = std::max(gate::test::largest_buffer, size);
    if (gate::test::faults.interruptions > 0) {
        --gate::test::faults.interruptions;
        *found = nullptr;
        return EINTR;
    }
    if (gate::test::faults.getpwnam_error == 0)
        return real(name, entry, buffer, size, found);
    *found = nullptr;
    return gate::test::faults.getpwnam_error;
}

GATE_STAND_IN int getgrnam_r(const char* name, group* entry, char* buffer, size_t size, group** found) {
    static const auto real = gate::test::next<decltype(&getgrnam_r)>("getgrnam_r");
    if (gate::test::faults.getgrnam_error == 0)
        return real(name, entry, buffer, size, found);
    *found = nullptr;
    return gate::test::faults.getgrnam_error;
}

GATE_STAND_IN int getgrouplist(const char* user, gid_t gid, gid_t* groups, int* count) {
    static const auto real = gate::test::next<decltype(&getgrouplist)>("getgrouplist");
    if (gate::test::faults.getgrouplist_fails)
        return -1; // glibc's way to say that memory ran out: count is left alone
    if (!gate::test::faults.getgrouplist_lost)
        return real(user, gid, groups, count);
    groups[0] = gid;
    return *count = 1;
}

GATE_STAND_IN int fstat(int fd, struct stat* st) noexcept {
    static const auto real = gate::test::next<int (*)(int, struct stat*)>("fstat");
    const int rc = real(fd, st);
    if (rc == 0 && gate::test::faults.root_owns_all)
        st->st_uid = 0;
    if (rc == 0 && gate::test::faults.nobody_owns_all)
        st->st_uid = 65534;
    return rc;
}

GATE_STAND_IN ssize_t read(int fd, void* buffer, size_t size) {
    static const auto real = gate::test::next<decltype(&read)>("read");
    if (gate::test::faults.read_error == 0)
        return real(fd, buffer, size);
    errno = gate::test::faults.read_error;
    return -1;
}

GATE_STAND_IN int pam_get_item(const pam_handle_t* pamh, int type, const void** item) {
    static const auto real = gate::test::next<decltype(&pam_get_item)>("pam_get_item");
    const int rc = real(pamh, type, item);
    if (rc == PAM_SUCCESS && type == PAM_SERVICE && gate::test::faults.no_service)
        *item = nullptr;
    return rc;
}

GATE_STAND_IN ssize_t sendto(int, const void* data, size_t size, int, const sockaddr*, socklen_t) {
    const gate::test::Unfailing unfailing;
    gate::test::events.emplace_back(static_cast<const char*>(data), size);
    return static_cast<ssize_t>(size);
}

GATE_STAND_IN void pam_syslog(const pam_handle_t*, int, const char* format, ...) {
    const gate::test::Unfailing unfailing;
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    gate::test::lines.emplace_back(text);
}

namespace gate::test {

// The program's own temporary directory, made by the first process and removed by it.
[[nodiscard]] inline std::string work_dir() {
    return std::getenv("GATE_PAM_TEST_DIR");
}

// PAM_PANDORA_SO, or pam_pandora.so beside the directory of the tests.
[[nodiscard]] inline std::string module_path() {
    if (const char* given = std::getenv("PAM_PANDORA_SO"))
        return std::filesystem::absolute(given);
    return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path().parent_path() /
           "pam_pandora.so";
}

inline void write_accounts(const std::string& dir) {
    std::filesystem::create_directories(dir + "/pam.d");
    std::string includes;
    for (const char* phase : {"auth", "account", "session", "password"})
        includes += std::string(phase) + " include " + dir + "/stack\n";
    write_file(dir + "/pam.d/gate", includes);
    write_file(dir + "/pam.d/other", "auth required pam_deny.so\naccount required pam_deny.so\n"
                                     "session required pam_deny.so\npassword required pam_deny.so\n");
    std::filesystem::create_directories(dir + "/usr/sbin");
    std::filesystem::create_directory_symlink("usr/sbin", dir + "/sbin"); // as on a merged /usr
    write_file(dir + "/usr/sbin/nologin", "#!/bin/false\n", 0755);
    write_file(dir + "/usr/sbin/other", "#!/bin/false\n", 0755);
    const std::string nologin = dir + "/usr/sbin/nologin";
    write_file(dir + "/passwd", "root:x:0:0::/root:/bin/bash\n"
                                "pandora:x:900:900::/:" +
                                    nologin +
                                    "\n" // primary group pandora
                                    "second:x:901:100::/:" +
                                    nologin +
                                    "\n" // supplementary
                                    "linked:x:902:900::/:" +
                                    dir +
                                    "/sbin/nologin\n"                // the other spelling
                                    "rpm:x:903:0::/:/sbin/nologin\n" // Pandora FMS from RPM
                                    "basher:x:904:900::/:/bin/bash\n"
                                    "empty:x:905:900::/:\n" // means /bin/sh
                                    "ghost:x:906:900::/:/nonexistent/shell\n"
                                    "multi:x:907:100::/:" +
                                    nologin +
                                    "\n"
                                    "other:x:908:900::/:" +
                                    dir +
                                    "/usr/sbin/other\n"
                                    "admin:x:1000:1000::/:/bin/bash\n"
                                    "CORP\\ada lovelace:x:1001:1000::/:/bin/bash\n");
    write_file(dir + "/group", "root:x:0:\nusers:x:100:\npandora:x:900:second\nempty:x:910:\n"
                               "receivers:x:900:\n" // pandora's number under another name
                               "many:x:960:multi\nmany-too:x:960:\nadmin:x:1000:\n");
}

[[nodiscard]] inline std::string asan_library() {
    std::string path;
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, size_t, void* out) {
            if (std::string_view(info->dlpi_name).find("libasan") != std::string_view::npos)
                *static_cast<std::string*>(out) = info->dlpi_name;
            return 0;
        },
        &path);
    return path;
}

inline void set_environment(const std::string& dir) {
    const std::string asan = asan_library(); // must be loaded before the wrappers
    const std::string preload = (asan.empty() ? "" : asan + ":") + "libpam_wrapper.so:libnss_wrapper.so";
    const std::pair<const char*, std::string> variables[] = {
        {"GATE_PAM_TEST_DIR", dir},
        {"LD_PRELOAD", preload},
        {"PAM_WRAPPER", "1"},
        {"PAM_WRAPPER_SERVICE_DIR", dir + "/pam.d"},
        {"NSS_WRAPPER_PASSWD", dir + "/passwd"},
        {"NSS_WRAPPER_GROUP", dir + "/group"},
        // With RTLD_DEEPBIND the stand-ins, and those of a sanitizer, would not be first any more.
        {"UID_WRAPPER_DISABLE_DEEPBIND", "1"},
        {"NSS_WRAPPER_DISABLE_DEEPBIND", "1"},
    };
    for (const auto& [name, value] : variables)
        ::setenv(name, value.c_str(), 1);
}

// The first process: makes the directory, runs this program again in it, cleans up. Returns its status.
inline int run_again(char** argv) {
    const TempDir dir;
    write_accounts(dir.path());
    const pid_t child = ::fork();
    if (child == 0) {
        set_environment(dir.path());
        ::execv("/proc/self/exe", argv);
        ::_exit(126);
    }
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child)
        return 125;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace gate::test

// int main() of a program: GATE_PAM_MAIN("name", GATE_TEST(a), GATE_TEST(b))
#define GATE_PAM_MAIN(group_name, ...)                                                                       \
    int main(int, char** argv) {                                                                             \
        if (std::getenv("GATE_PAM_TEST_DIR") == nullptr)                                                     \
            return gate::test::run_again(argv);                                                              \
        const CMUnitTest tests[] = {__VA_ARGS__};                                                            \
        return cmocka_run_group_tests_name(group_name, tests, nullptr, nullptr);                             \
    }
