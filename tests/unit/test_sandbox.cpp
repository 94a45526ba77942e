// lib/sandbox: each call that is let through beside its nearest neighbours that are not. Every case is a
// child of its own, because what is given up is so for good.
#include "tests/unit/support_child.h"

#include "forcecmd/confine.h"
#include "lib/base/fs.h"
#include "lib/sandbox/filter.h"
#include "lib/sandbox/harden.h"
#include "lib/sandbox/landlock.h"

#include <array>
#include <csignal>
#include <functional>
#include <poll.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

using namespace gate;
using sandbox::Access;
using sandbox::DirectoryRight;
using sandbox::Signals;
using test::error_of;
using test::in_child;
using test::k_killed;

namespace {

class Spool {
  public:
    Spool() {
        for (const char* name : {"data_in", "staging", "other"})
            std::filesystem::create_directory(dir_ / name);
        test::write_file(dir_ / "data_in/old", "old");
        data_in = Fd{::open((dir_ / "data_in").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        staging = Fd{::open((dir_ / "staging").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    }
    [[nodiscard]] std::string path(std::string_view name) const { return dir_ / name; }

  private:
    test::TempDir dir_;

  public:
    Fd data_in;
    Fd staging;
};

constexpr int k_unnamed = O_TMPFILE | O_WRONLY | O_CLOEXEC;

#ifndef __SANITIZE_ADDRESS__ // where no filter is: the run time of the sanitizers makes calls of its own
// As the publisher confines itself, with a descriptor to log by that is no socket.
int enter(const Spool& spool, bool named, int slot = -1) {
    const std::array staging = {spool.staging.get()};
    const std::array targets = {spool.data_in.get()};
    sandbox::PublisherCalls calls;
    calls.staging = staging;
    calls.targets = targets;
    calls.named = named;
    calls.link_slot = slot;
    calls.front = 12345;
    return sandbox::filter_publisher(calls) ? 0 : 99;
}

int open_unnamed(const Spool& spool) {
    return ::openat(spool.staging.get(), k_here, k_unnamed, 0600);
}

void the_front_has_no_file_system_and_no_network() {
    const std::string file = "/etc/passwd";
    const std::function<long()> table[] = {
        [&] { return ::open(file.c_str(), O_RDONLY); },
        [&] { return ::open("/tmp", k_unnamed, 0600); },
        [&] {
            struct stat st {};
            return ::stat(file.c_str(), &st);
        },
        [&] {
            struct stat st {};
            return ::fstatat(AT_FDCWD, file.c_str(), &st, AT_EMPTY_PATH);
        },
        [&] { return ::access(file.c_str(), F_OK); },
        [&] { return ::unlink("/tmp/none"); },
        [] { return ::socket(AF_INET, SOCK_STREAM, 0); },
        [] { return ::socket(AF_UNIX, SOCK_DGRAM, 0); },
        [&] { return ::execl(file.c_str(), "x", nullptr); },
        [] { return ::fork(); },
        [] { return ::kill(::getpid(), 0); },
        [] { return ::syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0); },
        [] { return ::dup(0); },
        [] {
            char byte = 0;
            return ::read(1, &byte, 1);
        },
        [] { return ::write(0, "x", 1); },
    };
    for (std::size_t i = 0; i < std::size(table); ++i)
        CHECK_MSG(in_child([&] { return sandbox::filter_front(3) ? error_of(table[i]()) : 99; }) == k_killed,
                  std::to_string(i));
}

void the_front_can_stage() {
    CHECK_EQ(in_child([] {
                 if (!sandbox::filter_front(3))
                     return 99;
                 const Fd memory{::memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
                 const std::string large(1 << 20, 'x'); // by mmap
                 struct stat st {};
                 const bool ok = ::pwrite(memory.get(), large.data(), large.size(), 0) > 0 &&
                                 ::ftruncate(memory.get(), 7) == 0 &&
                                 ::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_WRITE) == 0 &&
                                 stat_fd(memory.get(), st) && st.st_size == 7 &&
                                 ::mmap(nullptr, 7, PROT_READ, MAP_PRIVATE, memory.get(), 0) != MAP_FAILED;
                 return ok ? 0 : 1;
             }),
             0);
}

struct Pair {
    Fd near;
    Fd far;
    explicit Pair(int type) {
        std::array<int, 2> ends{-1, -1};
        CHECK_EQ(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()), 0);
        near = Fd{ends[0]};
        far = Fd{ends[1]};
    }
};

// A key is handed over to one address, which the process cannot change, and told to one logger.
void what_takes_a_key_speaks_to_two_only() {
    const Fd service{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    const Pair log(SOCK_DGRAM);
    const Pair other(SOCK_SEQPACKET);
    const test::TempDir dir;
    const auto listen_at = [&](const char* name, int type, sockaddr_un& address) {
        address.sun_family = AF_UNIX;
        const std::string path = dir / name;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        Fd socket{::socket(AF_UNIX, type | SOCK_CLOEXEC, 0)};
        CHECK_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        if (type == SOCK_SEQPACKET)
            CHECK_EQ(::listen(socket.get(), 9), 0);
        return socket;
    };
    sockaddr_un right{};
    sockaddr_un wrong{};
    sockaddr_un elsewhere{};
    const Fd listener = listen_at("right", SOCK_SEQPACKET, right);
    const Fd another = listen_at("wrong", SOCK_SEQPACKET, wrong);
    const Fd datagrams = listen_at("datagrams", SOCK_DGRAM, elsewhere);
    const auto connect = [&](int fd, const sockaddr_un& to, socklen_t size = sizeof(sockaddr_un)) {
        return ::connect(fd, reinterpret_cast<const sockaddr*>(&to), size);
    };
    const auto run = [&](const std::function<long()>& call) {
        return in_child([&] {
            const sandbox::EnrolCalls calls{.service = service.get(),
                                            .address = &right,
                                            .address_size = sizeof right,
                                            .log = log.near.get()};
            return sandbox::filter_enrol(calls) ? error_of(call()) : 99;
        });
    };
    char byte = 'x';
    ucred who{};
    socklen_t size = sizeof who;
    CHECK_EQ(run([&]() -> long {
                 if (connect(service.get(), right) != 0 || ::send(service.get(), &byte, 1, MSG_NOSIGNAL) != 1)
                     return -1;
                 return ::getsockopt(service.get(), SOL_SOCKET, SO_PEERCRED, &who, &size);
             }),
             0);
    // It is connected now, and nothing has come.
    CHECK_EQ(run([&] { return ::recv(service.get(), &byte, 1, MSG_DONTWAIT); }), EAGAIN);
    CHECK_EQ(run([&] { return ::send(log.near.get(), &byte, 1, MSG_DONTWAIT); }), 0);
    CHECK_EQ(run([] { return ::poll(nullptr, 0, 1); }), 0);
    const sockaddr_un copy = right;
    const auto* to = reinterpret_cast<const sockaddr*>(&elsewhere);
    CHECK_EQ(::sendto(Fd{::socket(AF_UNIX, SOCK_DGRAM, 0)}.get(), "x", 1, MSG_DONTWAIT, to, sizeof elsewhere),
             1);
    msghdr message{};
    const std::function<long()> table[] = {
        [&] { return connect(service.get(), wrong); },
        [&] { return connect(service.get(), copy); },
        [&] { return connect(service.get(), right, sizeof right - 1); },
        [&] { return connect(log.near.get(), right); },
        [&] { return connect(other.near.get(), right); },
        [&] { return ::sendto(log.near.get(), &byte, 1, MSG_DONTWAIT, to, sizeof elsewhere); },
        [&] { return ::sendto(service.get(), &byte, 1, MSG_DONTWAIT, to, sizeof elsewhere); },
        [&] { return ::sendmsg(log.near.get(), &message, MSG_DONTWAIT); },
        [&] { return ::sendmsg(service.get(), &message, MSG_DONTWAIT); },
        [&] { return ::recvmsg(service.get(), &message, MSG_DONTWAIT); },
        [&] { return ::recv(log.near.get(), &byte, 1, MSG_DONTWAIT); },
        [&] { return ::send(other.near.get(), &byte, 1, MSG_DONTWAIT); },
        [&] { return ::getsockopt(log.near.get(), SOL_SOCKET, SO_PEERCRED, &who, &size); },
        [&] { return ::write(service.get(), &byte, 1); },
        [&] { return ::read(service.get(), &byte, 1); },
        [] { return ::socket(AF_UNIX, SOCK_SEQPACKET, 0); },
        [] { return ::open("/etc/passwd", O_RDONLY); },
        [] { return ::memfd_create("x", MFD_CLOEXEC); },
        [] { return ::fork(); },
        [] { return ::dup(0); },
        [] { return ::kill(::getppid(), 0); },
    };
    for (std::size_t i = 0; i < std::size(table); ++i)
        CHECK_MSG(run(table[i]) == k_killed, std::to_string(i));
}

void memory_is_neither_code_nor_where_one_wants_it() {
    void* const here = ::mmap(nullptr, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const auto map = [](void* at, int protection, int flags) {
        return ::mmap(at, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0) == MAP_FAILED ? 1 : 0;
    };
    const auto names = reinterpret_cast<std::uintptr_t>(&k_empty_path[0]) & ~std::uintptr_t{4095};
    CHECK_EQ(in_child([&] { return sandbox::filter_front(3) ? map(nullptr, PROT_READ, 0) : 99; }), 0);
    const std::function<long()> table[] = {
        [&] { return map(nullptr, PROT_READ | PROT_EXEC, 0); },
        [&] { return map(here, PROT_READ, MAP_FIXED); },
        [&] { return map(here, PROT_READ, 0); },
        [&] { return ::mprotect(here, 4096, PROT_READ | PROT_WRITE); },
        [&] { return ::mremap(here, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, here) == nullptr ? 1 : 0; },
        [&] { return ::munmap(reinterpret_cast<void*>(names), 4096); },
        [&] {
            return ::mremap(reinterpret_cast<void*>(names), 4096, 8192, MREMAP_MAYMOVE) == nullptr ? 1 : 0;
        },
    };
    for (std::size_t i = 0; i < std::size(table); ++i)
        CHECK_MSG(in_child([&] { return sandbox::filter_front(3) ? error_of(table[i]()) : 99; }) == k_killed,
                  std::to_string(i));
    ::munmap(here, 8192);
}

void the_publisher_opens_unnamed_files_in_staging_only() {
    const Spool spool;
    const auto open = [&](int dir, const char* name, int flags, mode_t mode) {
        return in_child([&] { return enter(spool, false) + error_of(::openat(dir, name, flags, mode)); });
    };
    const int staging = spool.staging.get();
    const std::string climbing = "../other";
    const std::string copy = ".";
    CHECK_EQ(open(staging, k_here, k_unnamed, 0660), 0);
    CHECK_EQ(open(staging, k_here, k_unnamed, 04660), k_killed);
    CHECK_EQ(open(staging, k_here, k_unnamed, 0770), k_killed);
    CHECK_EQ(open(staging, k_here, O_TMPFILE | O_RDWR | O_CLOEXEC, 0660), k_killed);
    CHECK_EQ(open(staging, k_here, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), k_killed);
    CHECK_EQ(open(staging, climbing.c_str(), k_unnamed, 0660), k_killed);
    CHECK_EQ(open(staging, copy.c_str(), k_unnamed, 0660), k_killed); // it may be changed afterwards
    CHECK_EQ(open(spool.data_in.get(), k_here, k_unnamed, 0660), k_killed);
    CHECK_EQ(open(spool.data_in.get(), "old", O_WRONLY | O_CLOEXEC, 0), k_killed);
    CHECK_EQ(open(staging, "new", O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0660), k_killed);
}

void the_publisher_names_nothing_but_what_it_has_open() {
    const Spool spool;
    // Which one this kernel has does not matter here: the superuser may do both.
    for (const bool by_slot : {false, true}) {
        const auto link = [&](const std::function<long(int)>& how) {
            return in_child([&] {
                if (by_slot && ::dup2(spool.data_in.get(), k_link_slot) < 0)
                    return 98;
                if (enter(spool, false, by_slot ? k_link_slot : -1) != 0)
                    return 99;
                const int file = open_unnamed(spool);
                if (by_slot && ::dup3(file, k_link_slot, O_CLOEXEC) != k_link_slot)
                    return 97;
                return error_of(how(file));
            });
        };
        const int data_in = spool.data_in.get();
        const int from = by_slot ? AT_FDCWD : -2;
        const char* const name = by_slot ? k_link_slot_path : k_empty_path;
        const int flags = by_slot ? AT_SYMLINK_FOLLOW : AT_EMPTY_PATH;
        const auto dir = [&](int file) { return from == -2 ? file : from; };
        const std::string copy = name;
        const std::string new_name = by_slot ? "by-slot" : "by-descriptor";
        CHECK_EQ(link([&](int f) { return ::linkat(dir(f), name, data_in, new_name.c_str(), flags); }), 0);
        CHECK(std::filesystem::exists(spool.path("data_in/" + new_name)));
        CHECK_EQ(link([&](int f) { return ::linkat(dir(f), name, data_in, "old", flags); }), EEXIST);
        CHECK_EQ(link([&](int f) { return ::linkat(dir(f), copy.c_str(), data_in, "x", flags); }), k_killed);
        CHECK_EQ(link([&](int f) { return ::linkat(dir(f), name, spool.staging.get(), "x", flags); }),
                 k_killed);
        CHECK_EQ(link([&](int f) { return ::linkat(dir(f), name, AT_FDCWD, "x", flags); }), k_killed);
        CHECK_EQ(link([&](int) { return ::linkat(data_in, "old", data_in, "x", flags); }), k_killed);
        CHECK_EQ(link([&](int) { return ::linkat(data_in, "old", data_in, "x", 0); }), k_killed);
        CHECK_EQ(link([&](int) { return ::renameat2(data_in, "old", data_in, "x", 1); }), k_killed);
        CHECK_EQ(link([&](int) { return ::unlinkat(data_in, "old", 0); }), k_killed);
        CHECK(!std::filesystem::exists(spool.path("data_in/x")));
    }
}

void named_files_are_moved_from_staging_only() {
    const Spool spool;
    const int staging = spool.staging.get();
    const int data_in = spool.data_in.get();
    constexpr int k_new = O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC;
    const auto run = [&](const std::function<long()>& call) {
        return in_child([&] { return enter(spool, true) + error_of(call()); });
    };
    CHECK_EQ(run([&] { return ::openat(staging, "new", k_new, 0660); }), 0);
    CHECK_EQ(run([&] { return ::openat(staging, "new", k_new & ~O_EXCL, 0660); }), k_killed);
    CHECK_EQ(run([&] { return ::openat(data_in, "new", k_new, 0660); }), k_killed);
    CHECK_EQ(run([&] { return ::linkat(staging, "new", data_in, "linked", 0); }), 0);
    CHECK_EQ(run([&] { return ::linkat(data_in, "old", data_in, "x", 0); }), k_killed);
    CHECK_EQ(run([&] { return ::renameat2(staging, "new", data_in, "moved", 0); }), k_killed);
    CHECK_EQ(run([&] { return ::renameat2(staging, "new", data_in, "moved", 1); }), 0);
    CHECK_EQ(run([&] { return ::renameat2(data_in, "old", staging, "x", 1); }), k_killed);
    CHECK_EQ(run([&] { return ::unlinkat(staging, "none", 0); }), ENOENT);
    CHECK_EQ(run([&] { return ::unlinkat(staging, "none", AT_REMOVEDIR); }), k_killed);
    CHECK_EQ(run([&] { return ::unlinkat(data_in, "old", 0); }), k_killed);
}

void the_publisher_changes_what_is_open_only() {
    const Spool spool;
    const auto run = [&](const std::function<long(int)>& call) {
        return in_child([&] { return enter(spool, false) + error_of(call(open_unnamed(spool))); });
    };
    struct stat st {};
    const gid_t group = ::getgid();
    CHECK_EQ(run([&](int f) { return ::fchmod(f, 0640); }), 0);
    CHECK_EQ(run([&](int f) { return ::fchmod(f, 0750); }), k_killed);
    CHECK_EQ(run([&](int f) { return ::fchmod(f, 02640); }), k_killed);
    CHECK_EQ(run([&](int f) { return ::fchown(f, static_cast<uid_t>(-1), group); }), 0);
    CHECK_EQ(run([&](int f) { return ::fchown(f, 1, static_cast<gid_t>(-1)); }), k_killed);
    CHECK_EQ(run([&](int f) { return stat_fd(f, st) ? 0 : -1; }), 0);
    CHECK_EQ(run([&](int) { return ::fstatat(spool.data_in.get(), "old", &st, AT_EMPTY_PATH); }), k_killed);
    CHECK_EQ(run([&](int) { return ::fstatat(spool.data_in.get(), "old", &st, 0); }), k_killed);
    CHECK_EQ(run([&](int) { return ::truncate(spool.path("data_in/old").c_str(), 0); }), k_killed);
    CHECK_EQ(run([&](int) {
                 std::array<char, 1024> entries{};
                 return ::syscall(SYS_getdents64, spool.data_in.get(), entries.data(), entries.size());
             }),
             k_killed);
    CHECK_EQ(run([](int) { return ::socket(AF_UNIX, SOCK_DGRAM, 0); }), k_killed);
    CHECK_EQ(run([](int) { return ::kill(12345, 0); }), k_killed);
    CHECK_EQ(run([](int) { return ::kill(1, SIGKILL); }), k_killed);
    CHECK_EQ(run([](int f) { return ::dup3(f, k_link_slot, O_CLOEXEC); }), k_killed);
}
#endif

bool lock_privileges() {
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

// As on a kernel without Landlock, or with one that is turned off.
void a_kernel_without_landlock_has_version_0() {
    for (const int error : {ENOSYS, EOPNOTSUPP})
        CHECK_EQ(in_child([&] {
                     const scmp_filter_ctx old = ::seccomp_init(SCMP_ACT_ALLOW);
                     const bool made =
                         ::seccomp_rule_add(old, SCMP_ACT_ERRNO(static_cast<std::uint32_t>(error)),
                                            SCMP_SYS(landlock_create_ruleset), 0) == 0 &&
                         ::seccomp_load(old) == 0;
                     return made ? sandbox::landlock_abi() : 99;
                 }),
                 0);
}

int in_domain(int abi, const Spool& spool, Access in_staging, Access in_data_in,
              const std::function<long()>& call) {
    return in_child([&] {
        const std::array rights = {DirectoryRight{spool.staging.get(), in_staging},
                                   DirectoryRight{spool.data_in.get(), in_data_in},
                                   DirectoryRight{-1, Access::make_file}};
        if (!lock_privileges() || !sandbox::restrict_files(abi, rights, Signals::own_domain))
            return 99;
        return error_of(call());
    });
}

void what_is_not_granted_is_denied_in_every_version() {
    const int newest = sandbox::landlock_abi();
    if (newest < 1)
        SKIP_TEST("this kernel has no Landlock");
    const Spool spool;
    const std::string old = spool.path("data_in/old");
    const int data_in = spool.data_in.get();
    const int staging = spool.staging.get();
    constexpr Access k_made = Access::make_file | Access::write_file | Access::truncate | Access::move;
    constexpr Access k_named = Access::make_file | Access::move;
    for (int abi = 1; abi <= newest; ++abi) {
        const auto run = [&](const std::function<long()>& call) {
            return in_domain(abi, spool, k_made, k_named, call);
        };
        const auto publish = [&] {
            const int file = ::openat(staging, k_here, k_unnamed, 0600);
            return ::linkat(file, k_empty_path, data_in, std::to_string(abi).c_str(), AT_EMPTY_PATH);
        };
        CHECK_EQ(run(publish), abi == 1 ? EXDEV : 0);
        CHECK_EQ(
            run([&] { return ::openat(staging, std::to_string(abi).c_str(), O_CREAT | O_WRONLY, 0600); }), 0);
        CHECK_EQ(run([&] { return ::open(old.c_str(), O_WRONLY); }), EACCES);
        CHECK_EQ(run([&] { return ::open(old.c_str(), O_RDONLY); }), EACCES);
        CHECK_EQ(run([&] { return ::open(spool.path("data_in").c_str(), O_RDONLY | O_DIRECTORY); }), EACCES);
        CHECK_EQ(run([&] { return ::unlink(old.c_str()); }), EACCES);
        CHECK_EQ(run([&] { return ::mkdirat(data_in, "made", 0700); }), EACCES);
        CHECK_EQ(run([&] { return ::symlinkat("/etc", data_in, "made"); }), EACCES);
        CHECK_EQ(run([&] { return ::open(spool.path("other").c_str(), k_unnamed, 0600); }), EACCES);
        CHECK_EQ(run([&] { return ::openat(data_in, k_here, k_unnamed, 0600); }), EACCES);
        if (abi >= 3)
            CHECK_EQ(run([&] { return ::truncate(old.c_str(), 0); }), EACCES);
        // And nothing at all.
        CHECK_EQ(in_domain(abi, spool, Access::none, Access::none,
                           [&] { return ::openat(staging, k_here, k_unnamed, 0600); }),
                 EACCES);
    }
}

void landlock_alone_keeps_what_was_delivered() {
    const int newest = sandbox::landlock_abi();
    if (newest < 2)
        SKIP_TEST("this kernel has no Landlock, or the first");
    for (const bool named : {false, true}) {
        const Spool spool;
        drop::PublisherParts parts;
        parts.data_in = spool.data_in.get();
        parts.staging = spool.staging.get();
        parts.named = named;
        const auto run = [&](const std::function<long()>& call) {
            return in_child([&] {
                const auto rights = drop::publisher_rights(parts, newest);
                if (!lock_privileges() || !sandbox::restrict_files(newest, rights, Signals::anyone))
                    return 99;
                return error_of(call());
            });
        };
        const std::string old = spool.path("data_in/old");
        const std::string climbing = "../data_in/old";
        CHECK_EQ(run([&] { return ::open(old.c_str(), O_WRONLY); }), EACCES);
        CHECK_EQ(run([&] { return ::open(old.c_str(), O_WRONLY | O_TRUNC); }), EACCES);
        CHECK_EQ(run([&] { return ::open(old.c_str(), O_RDONLY); }), EACCES);
        CHECK_EQ(run([&] { return ::unlinkat(parts.staging, climbing.c_str(), 0); }), EACCES);
        CHECK_EQ(run([&] { return ::renameat2(parts.staging, climbing.c_str(), parts.data_in, "x", 1); }),
                 EACCES);
        CHECK_EQ(run([&] {
                     const int file = ::openat(parts.staging, "new", O_CREAT | O_WRONLY, 0600);
                     return file < 0 ? -1 : ::linkat(parts.staging, "new", parts.data_in, "new", 0);
                 }),
                 0);
        CHECK_EQ(run([&] { return ::unlinkat(parts.staging, "new", 0); }), named ? 0 : EACCES);
    }
}

void every_other_descriptor_is_closed() {
    CHECK_EQ(in_child([] {
                 const int kept = ::dup2(0, 57);
                 const int closed = ::dup2(0, 58);
                 const int low = ::dup2(0, 9);
                 if (!sandbox::close_all_but({57, 2, -1, 0, 1}))
                     return 99;
                 const auto is_open = [](int fd) { return ::fcntl(fd, F_GETFD) >= 0; };
                 return is_open(0) && is_open(2) && is_open(kept) && !is_open(closed) && !is_open(low) ? 0
                                                                                                       : 1;
             }),
             0);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
#ifndef __SANITIZE_ADDRESS__
        GATE_TEST(the_front_has_no_file_system_and_no_network),
        GATE_TEST(the_front_can_stage),
        GATE_TEST(what_takes_a_key_speaks_to_two_only),
        GATE_TEST(memory_is_neither_code_nor_where_one_wants_it),
        GATE_TEST(the_publisher_opens_unnamed_files_in_staging_only),
        GATE_TEST(the_publisher_names_nothing_but_what_it_has_open),
        GATE_TEST(named_files_are_moved_from_staging_only),
        GATE_TEST(the_publisher_changes_what_is_open_only),
#endif
        GATE_TEST(a_kernel_without_landlock_has_version_0),
        GATE_TEST(what_is_not_granted_is_denied_in_every_version),
        GATE_TEST(landlock_alone_keeps_what_was_delivered),
        GATE_TEST(every_other_descriptor_is_closed),
    };
    return cmocka_run_group_tests_name("sandbox", tests, nullptr, nullptr);
}
