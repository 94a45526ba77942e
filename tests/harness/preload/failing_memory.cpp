// For LD_PRELOAD in a real sshd: while an entry point of pam_pandora.so runs, the n-th allocation of the
// process fails, whoever makes it: the module, libpam or libc on its behalf. Allocations of sshd itself never
// do.
//
// GATE_FAILING_MEMORY names a directory. In it, `plan` is "N one" or "N all" (all: every later one fails,
// too), read when the process first comes to the module; `report` gets a line for each thing that happens:
//
//     PID enter acct_mgmt         PID fault acct_mgmt         PID leave acct_mgmt 6         PID end
//
// A process that entered and has no `end` died of a signal; one that did not leave died in the module.
//
// How: libpam finds the entry points by dlsym(), which stands here as well and gives it wrappers. sshd has
// one thread where it talks to PAM.
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <security/pam_modules.h>
#include <sys/syscall.h>
#include <unistd.h>

extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);
}

namespace {

constexpr std::array k_names = {"authenticate", "setcred", "acct_mgmt", "open_session", "close_session"};
using Entry = int (*)(pam_handle_t*, int, int, const char**);
std::array<Entry, k_names.size()> real_entries{};

const char* inside = nullptr; // the entry point that runs
bool entered = false;
long to_go = 0; // until an allocation fails; 0: none will
bool and_after = false;

int open_in_directory(const char* name, int flags) {
    const char* const directory = std::getenv("GATE_FAILING_MEMORY");
    if (directory == nullptr)
        return -1;
    std::array<char, 512> path{};
    std::snprintf(path.data(), path.size(), "%s/%s", directory, name);
    return ::open(path.data(), flags | O_CLOEXEC, 0600);
}

void report(const char* format, ...) {
    const int saved = errno;
    std::array<char, 128> text{};
    va_list arguments;
    va_start(arguments, format);
    const int size = std::vsnprintf(text.data(), text.size(), format, arguments);
    va_end(arguments);
    const int fd = open_in_directory("report", O_WRONLY | O_APPEND | O_CREAT);
    if (fd >= 0) {
        if (::write(fd, text.data(), static_cast<size_t>(size)) != size)
            std::abort();
        ::close(fd);
    }
    errno = saved;
}

void read_plan() {
    std::array<char, 64> text{};
    const int fd = open_in_directory("plan", O_RDONLY);
    if (fd < 0)
        return;
    if (::read(fd, text.data(), text.size() - 1) > 0) {
        to_go = std::strtol(text.data(), nullptr, 10);
        and_after = std::strstr(text.data(), "all") != nullptr;
    }
    ::close(fd);
}

template<std::size_t I>
int wrapped(pam_handle_t* pamh, int flags, int argc, const char** argv) {
    if (!entered)
        read_plan();
    entered = true;
    report("%d enter %s\n", ::getpid(), k_names[I]);
    inside = k_names[I];
    const int code = real_entries[I](pamh, flags, argc, argv);
    inside = nullptr;
    report("%d leave %s %d\n", ::getpid(), k_names[I], code);
    return code;
}

constexpr std::array<Entry, k_names.size()> k_wrappers = {wrapped<0>, wrapped<1>, wrapped<2>, wrapped<3>,
                                                          wrapped<4>};

bool fails_now() {
    if (inside == nullptr || to_go == 0 || --to_go > 0)
        return false;
    const char* const where = inside;
    inside = nullptr; // what reporting needs does not fail
    to_go = and_after ? 1 : 0;
    report("%d fault %s\n", ::getpid(), where);
    inside = where;
    errno = ENOMEM;
    return true;
}

using Dlsym = void* (*)(void*, const char*);

Dlsym real_dlsym() {
    for (const char* version : {"GLIBC_2.34", "GLIBC_2.17", "GLIBC_2.2.5"})
        if (void* const found = ::dlvsym(RTLD_NEXT, "dlsym", version))
            return reinterpret_cast<Dlsym>(found);
    std::abort();
}

} // namespace

#define GATE_STAND_IN extern "C" __attribute__((visibility("default"), used))

GATE_STAND_IN void* malloc(size_t size) noexcept {
    return fails_now() ? nullptr : __libc_malloc(size);
}
GATE_STAND_IN void* calloc(size_t count, size_t size) noexcept {
    return fails_now() ? nullptr : __libc_calloc(count, size);
}
GATE_STAND_IN void* realloc(void* old, size_t size) noexcept {
    return fails_now() ? nullptr : __libc_realloc(old, size);
}

GATE_STAND_IN void* dlsym(void* handle, const char* name) noexcept {
    static const Dlsym real = real_dlsym();
    void* const found = real(handle, name);
    Dl_info place{};
    if (found == nullptr || std::strncmp(name, "pam_sm_", 7) != 0 || ::dladdr(found, &place) == 0 ||
        std::strstr(place.dli_fname, "/pam_pandora.so") == nullptr)
        return found;
    for (std::size_t i = 0; i < k_names.size(); ++i) {
        if (std::strcmp(name + 7, k_names[i]) == 0) {
            real_entries[i] = reinterpret_cast<Entry>(found);
            return reinterpret_cast<void*>(k_wrappers[i]);
        }
    }
    return found;
}

// sshd ends by _exit(), or by returning from main().
__attribute__((destructor)) static void at_the_end() {
    if (entered)
        report("%d end\n", ::getpid());
}
GATE_STAND_IN void _exit(int status) noexcept {
    at_the_end();
    for (;;)
        ::syscall(SYS_exit_group, status);
}
