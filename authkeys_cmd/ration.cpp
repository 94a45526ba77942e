#include "authkeys_cmd/ration.h"

#include "lib/base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gate::authkeys {

namespace {

// The whole of such a file. It is written by this program alone, on a file system that does not outlive a
// boot.
struct Stamp {
    std::int64_t told_at; // seconds since the epoch
    std::uint64_t untold; // since then
};

constexpr int k_directory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// Ours, and nobody else's to write: another one could silence us with it.
[[nodiscard]] Fd open_own_directory(const char* path) {
    Fd fd{::open(path, k_directory)};
    struct stat st {};
    if (!fd.valid() || ::fstat(fd.get(), &st) != 0 || st.st_uid != ::geteuid() ||
        (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return Fd{};
    return fd;
}

[[nodiscard]] bool write_stamp(int fd, const Stamp& stamp) {
    return ::pwrite(fd, &stamp, sizeof stamp, 0) == static_cast<ssize_t>(sizeof stamp);
}

} // namespace

Ration take_ration(const char* directory, const char* name, std::int64_t now) {
    const Fd dir = open_own_directory(directory);
    if (!dir.valid())
        return {};
    const auto file = open_single(dir.get(), name, O_RDWR | O_CREAT, 0600);
    if (!file)
        return {};
    if (::flock(file->get(), LOCK_EX | LOCK_NB) != 0)
        return {.tell = errno != EWOULDBLOCK, .repeated = 0}; // another one is telling it at this moment
    Stamp stamp{};
    const bool known = ::pread(file->get(), &stamp, sizeof stamp, 0) == static_cast<ssize_t>(sizeof stamp);
    // A time to come is one of a clock that was put right since.
    if (known && stamp.told_at <= now && now - stamp.told_at < k_ration_s) {
        ++stamp.untold;
        return {.tell = !write_stamp(file->get(), stamp), .repeated = 0};
    }
    const std::uint64_t repeated = known ? stamp.untold : 0;
    static_cast<void>(write_stamp(file->get(), {.told_at = now, .untold = 0})); // else it is told again
    return {.tell = true, .repeated = repeated};
}

} // namespace gate::authkeys
