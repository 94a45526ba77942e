#include "lib/sandbox/filter.h"

#include "lib/base/fs.h"

#include <csignal>
#include <cstdint>
#include <fcntl.h>
#include <initializer_list>
#include <linux/fs.h>
#include <linux/memfd.h>
#include <memory>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

// The end of the program in memory, put there by the linker: behind it lie the heap and what is mapped.
extern "C" const char end[];

namespace gate::sandbox {

namespace {

using Condition = scmp_arg_cmp;

#ifdef __SANITIZE_ADDRESS__
// The sanitizers' run time makes calls of its own, at any time.
constexpr bool k_loads = false;
#else
constexpr bool k_loads = true;
#endif

// An int: the upper half of the register may hold anything.
[[nodiscard]] Condition is(unsigned argument, int value) {
    constexpr std::uint64_t k_int = 0xFFFF'FFFF;
    return SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, k_int, static_cast<std::uint32_t>(value));
}

// An int of which none of these bits is set.
[[nodiscard]] Condition lacks(unsigned argument, std::uint32_t bits) {
    return SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, bits, 0);
}

// As is(), whatever these bits are.
[[nodiscard]] Condition is_but_for(unsigned argument, std::uint32_t free_bits, int value) {
    return SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, std::uint64_t{0xFFFF'FFFF} & ~std::uint64_t{free_bits},
                    static_cast<std::uint32_t>(value) & ~free_bits);
}

[[nodiscard]] Condition is_at(unsigned argument, const void* address) {
    return SCMP_CMP64(argument, SCMP_CMP_EQ, reinterpret_cast<std::uintptr_t>(address));
}

// Not in the program itself, nor below it.
[[nodiscard]] Condition is_behind_program(unsigned argument) {
    return SCMP_CMP64(argument, SCMP_CMP_GE, reinterpret_cast<std::uintptr_t>(&end[0]));
}

class Filter {
  public:
    Filter() : context_(::seccomp_init(SCMP_ACT_KILL_PROCESS), ::seccomp_release) {
        // Another architecture's calls have other numbers.
        if (!context_ ||
            ::seccomp_attr_set(context_.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) != 0)
            failed_ = true;
    }

    // Any of the calls (one by several names, or the same on other architectures) under all of the
    // conditions. One that this architecture does not have has a negative number: libseccomp leaves it out
    // after some work, but needs it where several calls are one (socketcall(2); on 32 bits only).
    void allow(std::initializer_list<int> calls, const std::vector<Condition>& conditions = {}) {
        for (const int call : calls) {
            if (call < 0 && sizeof(void*) == 8)
                continue;
            failed_ = failed_ || ::seccomp_rule_add_array(context_.get(), SCMP_ACT_ALLOW, call,
                                                          static_cast<unsigned>(conditions.size()),
                                                          conditions.data()) != 0;
        }
    }

    [[nodiscard]] Result<void> load() {
        if (failed_)
            return fail(Errc::system, "cannot make the system call filter");
        if (!k_loads)
            return {};
        const int error = ::seccomp_load(context_.get());
        if (error != 0)
            return fail(Errc::system, "cannot load the system call filter", -error);
        return {};
    }

  private:
    std::unique_ptr<void, void (*)(scmp_filter_ctx)> context_;
    bool failed_ = false;
};

// Memory without PROT_EXEC, where the kernel puts it; the program's own pages stay as they are, the names in
// them included.
void allow_memory(Filter& filter) {
    filter.allow({SCMP_SYS(brk)});
    filter.allow({SCMP_SYS(mmap), SCMP_SYS(mmap2)},
                 {is_at(0, nullptr), lacks(2, PROT_EXEC), is(3, MAP_PRIVATE | MAP_ANONYMOUS)});
    // A sealed memfd.
    filter.allow({SCMP_SYS(mmap), SCMP_SYS(mmap2)},
                 {is_at(0, nullptr), is(2, PROT_READ), is_but_for(3, MAP_POPULATE, MAP_PRIVATE)});
    filter.allow({SCMP_SYS(munmap)}, {is_behind_program(0)});
    filter.allow({SCMP_SYS(mremap)}, {is_behind_program(0), lacks(3, ~std::uint32_t{MREMAP_MAYMOVE})});
}

void allow_always(Filter& filter) {
    allow_memory(filter);
    filter.allow({SCMP_SYS(close), SCMP_SYS(lseek), SCMP_SYS(_llseek), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
                  SCMP_SYS(ftruncate), SCMP_SYS(ftruncate64)});
    filter.allow({SCMP_SYS(fstat), SCMP_SYS(fstat64)});
    filter.allow({SCMP_SYS(newfstatat), SCMP_SYS(fstatat64)}, {is_at(1, k_empty_path), is(3, AT_EMPTY_PATH)});
    filter.allow({SCMP_SYS(statx)}, {is_at(1, k_empty_path), is_but_for(2, AT_NO_AUTOMOUNT, AT_EMPTY_PATH)});
    filter.allow({SCMP_SYS(fcntl), SCMP_SYS(fcntl64)}, {is(1, F_GET_SEALS)});
    filter.allow({SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(ppoll_time64), SCMP_SYS(restart_syscall)});
    filter.allow(
        {SCMP_SYS(clock_gettime), SCMP_SYS(clock_gettime64), SCMP_SYS(gettimeofday), SCMP_SYS(time)});
    filter.allow({SCMP_SYS(getrandom), SCMP_SYS(futex), SCMP_SYS(futex_time64), SCMP_SYS(getpid)});
    filter.allow({SCMP_SYS(rt_sigreturn), SCMP_SYS(sigreturn), SCMP_SYS(rt_sigprocmask)});
    filter.allow({SCMP_SYS(exit_group), SCMP_SYS(exit)});
}

void allow_channel(Filter& filter, int channel) {
    filter.allow({SCMP_SYS(recvmsg), SCMP_SYS(sendmsg)}, {is(0, channel)});
}

void allow_new_files(Filter& filter, const PublisherCalls& calls) {
    // What 32-bit programs add; 0 elsewhere.
    constexpr std::uint32_t k_large_file = __O_LARGEFILE;
    constexpr std::uint32_t k_special_modes = 07111; // set-id, sticky, executable
    constexpr int k_unnamed = O_TMPFILE | O_WRONLY | O_CLOEXEC;
    constexpr int k_named = O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC;
    for (const int staging : calls.staging) {
        if (!calls.named) {
            filter.allow({SCMP_SYS(openat)},
                         {is(0, staging), is_at(1, k_here), is_but_for(2, k_large_file, k_unnamed),
                          lacks(3, k_special_modes)});
            continue;
        }
        filter.allow({SCMP_SYS(openat)},
                     {is(0, staging), is_but_for(2, k_large_file, k_named), lacks(3, k_special_modes)});
        filter.allow({SCMP_SYS(unlinkat)}, {is(0, staging), is(2, 0)});
        for (const int target : calls.targets) {
            filter.allow({SCMP_SYS(linkat)}, {is(0, staging), is(2, target), is(4, 0)});
            filter.allow({SCMP_SYS(renameat2)}, {is(0, staging), is(2, target), is(4, RENAME_NOREPLACE)});
        }
    }
    filter.allow({SCMP_SYS(fchmod)}, {lacks(1, k_special_modes)});
    filter.allow({SCMP_SYS(fchown), SCMP_SYS(fchown32)}, {is(1, -1)});
    filter.allow({SCMP_SYS(fallocate)}, {is(1, FALLOC_FL_KEEP_SIZE)});
    filter.allow({SCMP_SYS(write), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(flock)});
    filter.allow({SCMP_SYS(fstatfs), SCMP_SYS(fstatfs64)});
}

// Nothing but what is open can be given a name: a file that is in data_in already cannot get another.
void allow_unnamed_to_be_named(Filter& filter, const PublisherCalls& calls) {
    for (const int target : calls.targets) {
        if (calls.link_slot >= 0)
            filter.allow({SCMP_SYS(linkat)}, {is(0, AT_FDCWD), is_at(1, k_link_slot_path), is(2, target),
                                              is(4, AT_SYMLINK_FOLLOW)});
        else
            filter.allow({SCMP_SYS(linkat)}, {is_at(1, k_empty_path), is(2, target), is(4, AT_EMPTY_PATH)});
    }
    if (calls.link_slot >= 0)
        filter.allow({SCMP_SYS(dup3)}, {is(1, calls.link_slot), is(2, O_CLOEXEC)});
}

// The log, the child, and waiting for a lock: what every process that takes files does beside taking them.
void allow_company(Filter& filter, int log, pid_t child) {
    if (log >= 0)
        filter.allow({SCMP_SYS(sendto)}, {is(0, log)});
    filter.allow({SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(clock_nanosleep_time64)});
    filter.allow({SCMP_SYS(kill)}, {is(0, child), is(1, SIGKILL)});
    filter.allow({SCMP_SYS(wait4)}, {is(0, child)});
}

void allow_uploads(Filter& filter, const SweepCalls& calls) {
    constexpr std::uint32_t k_large_file = __O_LARGEFILE;
    for (const int inbox : calls.inboxes) {
        if (inbox < 0)
            continue;
        filter.allow({SCMP_SYS(openat)}, {is(0, inbox), is_but_for(2, k_large_file, k_open_upload)});
        filter.allow({SCMP_SYS(unlinkat)}, {is(0, inbox), is(2, 0)});
    }
    const auto [uploads, held] = calls.inboxes;
    if (held >= 0) { // what a C library makes of renameat(2)
        filter.allow({SCMP_SYS(renameat)}, {is(0, uploads), is(2, held)});
        filter.allow({SCMP_SYS(renameat2)}, {is(0, uploads), is(2, held), is(4, 0)});
    }
    for (const int command : {F_GETLK, F_GETLK64})
        filter.allow({SCMP_SYS(fcntl), SCMP_SYS(fcntl64)}, {is(1, command)});
    filter.allow({SCMP_SYS(read)}); // of what is open: uploads, and the checker's answers
}

} // namespace

Result<void> filter_front(int channel) {
    Filter filter;
    allow_always(filter);
    allow_channel(filter, channel);
    filter.allow({SCMP_SYS(read)}, {is(0, STDIN_FILENO)});
    for (const int client : {STDOUT_FILENO, STDERR_FILENO})
        filter.allow({SCMP_SYS(write)}, {is(0, client)});
    // Descriptor 1 may be a socket: then it is written to without an address, and its mode left alone.
    filter.allow({SCMP_SYS(sendto)}, {is(0, STDOUT_FILENO), is_at(4, nullptr)});
    filter.allow({SCMP_SYS(send)}, {is(0, STDOUT_FILENO)});
    filter.allow({SCMP_SYS(getsockopt)}, {is(0, STDOUT_FILENO), is(1, SOL_SOCKET), is(2, SO_TYPE)});
    for (const int command : {F_GETFL, F_SETFL})
        filter.allow({SCMP_SYS(fcntl), SCMP_SYS(fcntl64)}, {is(0, STDOUT_FILENO), is(1, command)});
    filter.allow({SCMP_SYS(fcntl), SCMP_SYS(fcntl64)}, {is(1, F_ADD_SEALS)});
    // MFD_NOEXEC_SEAL where there is that.
    constexpr std::uint32_t k_never_executable = 8;
    filter.allow({SCMP_SYS(memfd_create)},
                 {is_but_for(1, k_never_executable, MFD_CLOEXEC | MFD_ALLOW_SEALING)});
    filter.allow({SCMP_SYS(rt_sigaction)}, {is(0, SIGALRM)});
    filter.allow({SCMP_SYS(setitimer)});
    return filter.load();
}

Result<void> filter_enrol(const EnrolCalls& calls) {
    Filter filter;
    allow_always(filter);
    filter.allow({SCMP_SYS(read)}, {is(0, STDIN_FILENO)});
    for (const int client : {STDOUT_FILENO, STDERR_FILENO}) {
        filter.allow({SCMP_SYS(write)}, {is(0, client)});
        filter.allow({SCMP_SYS(getsockopt)}, {is(0, client), is(1, SOL_SOCKET), is(2, SO_TYPE)});
        for (const int command : {F_GETFL, F_SETFL})
            filter.allow({SCMP_SYS(fcntl), SCMP_SYS(fcntl64)}, {is(0, client), is(1, command)});
    }
    // Without an address: to whom it is connected to.
    for (const int to : {STDOUT_FILENO, STDERR_FILENO, calls.service, calls.log}) {
        if (to < 0)
            continue;
        filter.allow({SCMP_SYS(sendto)}, {is(0, to), is_at(4, nullptr)});
        filter.allow({SCMP_SYS(send)}, {is(0, to)});
    }
    filter.allow({SCMP_SYS(connect)},
                 {is(0, calls.service), is_at(1, calls.address), is(2, calls.address_size)});
    filter.allow({SCMP_SYS(getsockopt)}, {is(0, calls.service), is(1, SOL_SOCKET), is(2, SO_PEERCRED)});
    filter.allow({SCMP_SYS(recvfrom)}, {is(0, calls.service), is_at(4, nullptr)});
    filter.allow({SCMP_SYS(recv)}, {is(0, calls.service)});
    filter.allow({SCMP_SYS(rt_sigaction)}, {is(0, SIGALRM)});
    filter.allow({SCMP_SYS(setitimer)});
    return filter.load();
}

Result<void> filter_publisher(const PublisherCalls& calls) {
    Filter filter;
    allow_always(filter);
    allow_channel(filter, calls.channel);
    allow_new_files(filter, calls);
    if (!calls.named)
        allow_unnamed_to_be_named(filter, calls);
    allow_company(filter, calls.log, calls.front);
    return filter.load();
}

Result<void> filter_sweep(const SweepCalls& calls) {
    Filter filter;
    allow_always(filter);
    PublisherCalls files;
    const std::array staging = {calls.staging};
    files.staging = staging;
    files.targets = calls.targets;
    files.named = true;
    allow_new_files(filter, files);
    allow_uploads(filter, calls);
    allow_company(filter, calls.log, calls.checker);
    return filter.load();
}

} // namespace gate::sandbox
