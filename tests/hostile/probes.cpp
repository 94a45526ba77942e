// What somebody would try who runs his own code in one of the two processes. Bare system calls, so that what
// is tried does not depend on how a C library spells it.
#include "tests/hostile/hostile.h"

#include "lib/base/fs.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gate::drop::hostile {

namespace {

using Target = hostile::Target;

// 0, or the errno of a call that gave -1.
int result(long value) {
    return value == -1 ? errno : 0;
}

const char* path(const Target& t) {
    return t.argument.c_str();
}

int exec(const Target& t) {
    const std::array<const char*, 3> argv = {"touch", path(t), nullptr};
    const std::array<const char*, 1> environment = {nullptr};
    return result(::syscall(SYS_execve, "/usr/bin/touch", argv.data(), environment.data()));
}

int fork_(const Target&) {
    const pid_t child = ::fork();
    if (child == 0)
        ::_exit(0);
    return result(child);
}

int socket_(const Target&) {
    return result(::syscall(SYS_socket, AF_INET, SOCK_STREAM, 0));
}

int socket_local(const Target&) {
    return result(::syscall(SYS_socket, AF_UNIX, SOCK_DGRAM, 0));
}

int trace(const Target& t) {
    return result(::syscall(SYS_ptrace, PTRACE_SEIZE, t.other, nullptr, nullptr));
}

int read_memory(const Target& t) {
    return result(
        ::syscall(SYS_openat, AT_FDCWD, ("/proc/" + std::to_string(t.other) + "/mem").c_str(), O_RDWR));
}

int read_file(const Target& t) {
    const auto fd = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path(t), O_RDONLY));
    char byte = 0;
    return fd < 0 ? errno : result(::read(fd, &byte, 1));
}

int list(const Target& t) {
    const auto fd = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path(t), O_RDONLY | O_DIRECTORY));
    std::array<char, 4096> entries{};
    return fd < 0 ? errno : result(::syscall(SYS_getdents64, fd, entries.data(), entries.size()));
}

int list_open(const Target& t) {
    std::array<char, 4096> entries{};
    return result(::syscall(SYS_getdents64, t.parts.data_in, entries.data(), entries.size()));
}

int stat_name(const Target& t) {
    struct stat st {};
    return result(::fstatat(AT_FDCWD, path(t), &st, 0));
}

// The flag only allows an empty name: it does not ask for one.
int stat_with_empty_path(const Target& t) {
    struct stat st {};
    return result(::fstatat(AT_FDCWD, path(t), &st, AT_EMPTY_PATH));
}

int stat_extended(const Target& t) {
    struct statx st {};
    return result(::statx(AT_FDCWD, path(t), AT_EMPTY_PATH, STATX_BASIC_STATS, &st));
}

int access_name(const Target& t) {
    return result(::syscall(SYS_faccessat, AT_FDCWD, path(t), F_OK));
}

int open_for_writing(const Target& t) {
    return result(::syscall(SYS_openat, AT_FDCWD, path(t), O_WRONLY));
}

// As the filter likes it, but for the name.
int open_from_staging(const Target& t) {
    return result(::syscall(SYS_openat, t.parts.staging, path(t), O_WRONLY | O_CLOEXEC));
}

int unnamed_elsewhere(const Target& t) {
    return result(::syscall(SYS_openat, t.parts.staging, path(t), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
}

int unnamed_set_id(const Target& t) {
    return result(::syscall(SYS_openat, t.parts.staging, k_here, O_TMPFILE | O_WRONLY | O_CLOEXEC, 04755));
}

int truncate_name(const Target& t) {
    return result(::truncate(path(t), 0));
}

int unlink_name(const Target& t) {
    return result(::syscall(SYS_unlinkat, AT_FDCWD, path(t), 0));
}

int rename_name(const Target& t) {
    return result(::syscall(SYS_renameat2, AT_FDCWD, path(t), AT_FDCWD, (t.argument + ".moved").c_str(), 0));
}

int link_name(const Target& t) {
    return result(::syscall(SYS_linkat, AT_FDCWD, path(t), AT_FDCWD, (t.argument + ".linked").c_str(), 0));
}

// From one descriptor that it may use to another; the argument is a delivered file's name.
int link_delivered(const Target& t) {
    return result(::syscall(SYS_linkat, t.parts.data_in, path(t), t.parts.data_in,
                            (t.argument + ".linked").c_str(), 0));
}

// The flags and directories of the one link that is allowed, and a name of its own.
int link_delivered_as_unnamed(const Target& t) {
    return result(::syscall(SYS_linkat, t.parts.data_in, path(t), t.parts.data_in,
                            (t.argument + ".linked").c_str(), AT_EMPTY_PATH));
}

// Where staged files have names: as such a file is linked, moved and removed, with a name that climbs.
int link_from_staging(const Target& t) {
    return result(::syscall(SYS_linkat, t.parts.staging, path(t), t.parts.data_in, "climbed.1.data", 0));
}

int rename_from_staging(const Target& t) {
    constexpr unsigned k_no_replace = 1;
    return result(
        ::syscall(SYS_renameat2, t.parts.staging, path(t), t.parts.data_in, "climbed.1.data", k_no_replace));
}

int unlink_from_staging(const Target& t) {
    return result(::syscall(SYS_unlinkat, t.parts.staging, path(t), 0));
}

int make_directory(const Target& t) {
    return result(::syscall(SYS_mkdirat, AT_FDCWD, path(t), 0700));
}

int make_symlink(const Target& t) {
    return result(::syscall(SYS_symlinkat, "/etc/passwd", AT_FDCWD, path(t)));
}

int create(const Target& t) {
    return result(::syscall(SYS_openat, AT_FDCWD, path(t), O_CREAT | O_EXCL | O_WRONLY, 0600));
}

// All that a publisher is there for, with a name of its own choice.
int publish(const Target& t) {
    Fs fs;
    const auto file = fs.open_tmpfile(t.parts.staging, 0600);
    if (!file)
        return file.error().sys_errno;
    if (t.parts.link_slot >= 0) {
        ::dup3(file->get(), t.parts.link_slot, O_CLOEXEC);
        return result(::linkat(AT_FDCWD, k_link_slot_path, t.parts.data_in, path(t), AT_SYMLINK_FOLLOW));
    }
    return result(::linkat(file->get(), k_empty_path, t.parts.data_in, path(t), AT_EMPTY_PATH));
}

int set_id(const Target& t) {
    Fs fs;
    const auto file = fs.open_tmpfile(t.parts.staging, 0600);
    return file ? result(::syscall(SYS_fchmod, file->get(), 04755)) : file.error().sys_errno;
}

// The page that holds the names that the filter knows by their address.
int unprotect_names(const Target&) {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const std::uintptr_t at = reinterpret_cast<std::uintptr_t>(&k_empty_path[0]) / page * page;
    return result(::syscall(SYS_mprotect, at, page, PROT_READ | PROT_WRITE));
}

int unmap_names(const Target&) {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const std::uintptr_t at = reinterpret_cast<std::uintptr_t>(&k_empty_path[0]) / page * page;
    // A page of the program that nothing needs would do for the control: the call is what counts, so of no
    // length.
    return ::syscall(SYS_munmap, at, 0) == -1 && errno == EINVAL ? 0 : EPERM;
}

int map_at_an_address(const Target&) {
    constexpr std::size_t k_size = 4096;
    void* at = ::mmap(nullptr, k_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return ::mmap(at, k_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ? errno
                                                                                                       : 0;
}

int map_code(const Target&) {
    constexpr int k_all = PROT_READ | PROT_WRITE | PROT_EXEC;
    return ::mmap(nullptr, 4096, k_all, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
}

int ring(const Target&) {
    io_uring_params parameters{};
    return result(::syscall(SYS_io_uring_setup, 1, &parameters));
}

int kill_parent(const Target&) {
    return result(::kill(::getppid(), 0));
}

int become_dumpable(const Target&) {
    return result(::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

// The way to the logger, used for another datagram socket: the argument is its path.
sockaddr_un address_of(const Target& t) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    t.argument.copy(to.sun_path, sizeof to.sun_path - 1);
    return to;
}

int tell_another(const Target& t) {
    const sockaddr_un to = address_of(t);
    return result(::syscall(SYS_sendto, t.parts.log, "x", 1, MSG_DONTWAIT, &to, sizeof to));
}

int tell_another_by_message(const Target& t) {
    sockaddr_un to = address_of(t);
    std::array<char, 1> text{'x'};
    iovec part{text.data(), text.size()};
    msghdr message{};
    message.msg_name = &to;
    message.msg_namelen = sizeof to;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    return result(::syscall(SYS_sendmsg, t.parts.log, &message, MSG_DONTWAIT));
}

int connect_to_another(const Target& t) {
    const sockaddr_un to = address_of(t);
    return result(::syscall(SYS_connect, t.parts.log, &to, sizeof to));
}

int duplicate(const Target&) {
    return result(::syscall(SYS_dup3, STDIN_FILENO, 40, 0));
}

struct Probe {
    std::string_view name;
    int (*run)(const Target&);
};
constexpr std::array k_probes = {
    Probe{"exec", exec},
    Probe{"fork", fork_},
    Probe{"socket", socket_},
    Probe{"socket_local", socket_local},
    Probe{"trace", trace},
    Probe{"read_memory", read_memory},
    Probe{"read_file", read_file},
    Probe{"list", list},
    Probe{"list_open", list_open},
    Probe{"stat", stat_name},
    Probe{"stat_with_empty_path", stat_with_empty_path},
    Probe{"stat_extended", stat_extended},
    Probe{"access", access_name},
    Probe{"open_for_writing", open_for_writing},
    Probe{"open_from_staging", open_from_staging},
    Probe{"unnamed_elsewhere", unnamed_elsewhere},
    Probe{"unnamed_set_id", unnamed_set_id},
    Probe{"truncate", truncate_name},
    Probe{"unlink", unlink_name},
    Probe{"rename", rename_name},
    Probe{"link", link_name},
    Probe{"link_delivered", link_delivered},
    Probe{"link_delivered_as_unnamed", link_delivered_as_unnamed},
    Probe{"link_from_staging", link_from_staging},
    Probe{"rename_from_staging", rename_from_staging},
    Probe{"unlink_from_staging", unlink_from_staging},
    Probe{"make_directory", make_directory},
    Probe{"make_symlink", make_symlink},
    Probe{"create", create},
    Probe{"publish", publish},
    Probe{"set_id", set_id},
    Probe{"unprotect_names", unprotect_names},
    Probe{"unmap_names", unmap_names},
    Probe{"map_at_an_address", map_at_an_address},
    Probe{"map_code", map_code},
    Probe{"ring", ring},
    Probe{"kill_parent", kill_parent},
    Probe{"become_dumpable", become_dumpable},
    Probe{"duplicate", duplicate},
    Probe{"tell_another", tell_another},
    Probe{"tell_another_by_message", tell_another_by_message},
    Probe{"connect_to_another", connect_to_another},
};

} // namespace

int try_probe(std::string_view name, const Target& target) {
    for (const Probe& probe : k_probes)
        if (probe.name == name)
            return probe.run(target);
    return ENOSYS;
}

} // namespace gate::drop::hostile
