#include "lib/spool/record_file.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

namespace gate::spool {

namespace {

// Between two looks at a lock: a holder is done in some ten microseconds.
constexpr long k_first_wait_ns = 50'000;
constexpr long k_longest_wait_ns = 5'000'000;

[[nodiscard]] std::uint64_t checksum_of(std::span<const std::byte> record) {
    return XXH3_64bits(record.data(), record.size());
}

} // namespace

Result<Fd> open_shared(int dir, const char* name, Open how, uid_t owner) {
    const int flags = (how == Open::read ? O_RDONLY : O_RDWR) | (how == Open::create ? O_CREAT : 0);
    GATE_TRY(Fd fd, open_single(dir, name, flags, 0600));
    struct stat st {};
    if (::fstat(fd.get(), &st) != 0)
        return fail_errno("cannot stat file");
    if (st.st_uid != owner)
        return fail(Errc::wrong_owner, "file has the wrong owner");
    return fd;
}

Result<void> lock_for(int fd, int patience_ms) {
    const std::int64_t end = monotonic_ms() + patience_ms;
    for (long wait = k_first_wait_ns; ::flock(fd, LOCK_EX | LOCK_NB) != 0;
         wait = wait * 2 < k_longest_wait_ns ? wait * 2 : k_longest_wait_ns) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return fail_errno("cannot lock file");
        if (monotonic_ms() >= end)
            return fail(Errc::closed, "file is locked by another process", EWOULDBLOCK);
        const timespec pause{.tv_sec = 0, .tv_nsec = wait};
        ::nanosleep(&pause, nullptr);
    }
    return {};
}

void unlock(int fd) {
    ::flock(fd, LOCK_UN);
}

Result<bool> read_record(int fd, std::span<std::byte> record) {
    std::string bytes(record.size() + sizeof(std::uint64_t), '\0');
    ssize_t n = 0;
    while ((n = ::pread(fd, bytes.data(), bytes.size(), 0)) < 0) {
        if (errno != EINTR)
            return fail_errno("cannot read file");
    }
    if (n == 0)
        return false;
    std::uint64_t checksum = 0;
    std::memcpy(&checksum, bytes.data() + record.size(), sizeof checksum);
    const std::span body(reinterpret_cast<const std::byte*>(bytes.data()), record.size());
    if (static_cast<std::size_t>(n) != bytes.size() || checksum != checksum_of(body))
        return fail(Errc::damaged, "file is damaged");
    std::memcpy(record.data(), body.data(), body.size());
    return true;
}

Result<void> write_record(int fd, std::span<const std::byte> record) {
    std::string bytes(reinterpret_cast<const char*>(record.data()), record.size());
    const std::uint64_t checksum = checksum_of(record);
    bytes.append(reinterpret_cast<const char*>(&checksum), sizeof checksum);
    ssize_t n = 0;
    while ((n = ::pwrite(fd, bytes.data(), bytes.size(), 0)) < 0) {
        if (errno != EINTR)
            return fail_errno("cannot write file");
    }
    if (static_cast<std::size_t>(n) != bytes.size())
        return fail(Errc::no_space, "cannot write the whole file", ENOSPC);
    return {};
}

} // namespace gate::spool
