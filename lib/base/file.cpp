#include "lib/base/file.h"

#include <array>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gate {

namespace {

[[nodiscard]] Result<Fd> open_at(int dir, const char* path, int flags, mode_t mode, struct stat& st) {
    constexpr int k_always = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    Fd fd{::openat(dir, path, flags | k_always, mode)};
    if (!fd.valid()) {
        if (errno == ENOENT)
            return fail(Errc::missing, "file is missing", ENOENT);
        if (errno == ELOOP)
            return fail(Errc::not_regular, "file is a symbolic link", ELOOP);
        return fail_errno("cannot open file");
    }
    if (::fstat(fd.get(), &st) != 0)
        return fail_errno("cannot stat file");
    if (!S_ISREG(st.st_mode))
        return fail(Errc::not_regular, "not a regular file");
    return fd;
}

} // namespace

Result<Fd> open_regular(const char* path) {
    struct stat st {};
    return open_at(AT_FDCWD, path, O_RDONLY, 0, st);
}

Result<Fd> open_single(int dir, const char* name, int flags, mode_t mode) {
    struct stat st {};
    GATE_TRY(Fd fd, open_at(dir, name, flags, mode, st));
    if (st.st_nlink == 0) // it has just been removed
        return fail(Errc::missing, "file is missing", ENOENT);
    if (st.st_nlink != 1)
        return fail(Errc::not_regular, "file has several names");
    return fd;
}

Result<Fd> open_trusted(const char* path, uid_t owner) {
    GATE_TRY(Fd fd, open_regular(path));
    struct stat st {};
    if (::fstat(fd.get(), &st) != 0)
        return fail_errno("cannot stat file");
    if (st.st_uid != owner)
        return fail(Errc::wrong_owner, "file has the wrong owner");
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return fail(Errc::writable, "file is writable by group or others");
    return fd;
}

Result<void> read_exact_at(int fd, std::span<std::byte> buffer, std::uint64_t offset) {
    while (!buffer.empty()) {
        const ssize_t n = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(offset));
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return fail_errno("cannot read file");
        }
        if (n == 0)
            return fail(Errc::truncated, "file is shorter than it says");
        buffer = buffer.subspan(static_cast<std::size_t>(n));
        offset += static_cast<std::uint64_t>(n);
    }
    return {};
}

Result<std::string> read_all(int fd, std::size_t cap) {
    std::string out;
    std::array<char, 4096> block{};
    for (;;) {
        const ssize_t n = ::read(fd, block.data(), block.size());
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return fail_errno("cannot read file");
        }
        if (n == 0)
            return out;
        if (static_cast<std::size_t>(n) > cap - out.size())
            return fail(Errc::too_large, "file is larger than it may be");
        out.append(block.data(), static_cast<std::size_t>(n));
    }
}

Result<void> write_all(int fd, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return fail_errno("cannot write file");
        }
        bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    return {};
}

} // namespace gate
