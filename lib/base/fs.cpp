#include "lib/base/fs.h"

#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace gate {

const char k_empty_path[1] = "";
const char k_here[2] = ".";
const char k_link_slot_path[17] = "/proc/self/fd/63";

bool stat_fd(int fd, struct stat& st) {
    return ::fstatat(fd, k_empty_path, &st, AT_EMPTY_PATH) == 0;
}

namespace {

[[nodiscard]] std::unexpected<Error> fail_naming(const char* what) {
    return errno == EEXIST ? fail(Errc::exists, "the name is taken", EEXIST) : fail_errno(what);
}

[[nodiscard]] bool is_unsupported(int e) {
    return e == EOPNOTSUPP || e == EISDIR || e == EINVAL || e == ENOSYS;
}

} // namespace

Result<Fd> Fs::open_tmpfile(int dir, mode_t mode) {
    Fd fd{::openat(dir, k_here, O_TMPFILE | O_WRONLY | O_CLOEXEC, mode)};
    if (!fd.valid() && is_unsupported(errno))
        return fail(Errc::not_found, "no unnamed files here", errno);
    if (!fd.valid())
        return fail_errno("cannot create a file in the staging directory");
    return fd;
}

Result<Fd> Fs::create(int dir, const char* name, mode_t mode) {
    Fd fd{::openat(dir, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, mode)};
    if (!fd.valid())
        return fail_naming("cannot create a file in the staging directory");
    return fd;
}

Result<std::size_t> Fs::write(int fd, std::span<const std::byte> bytes) {
    for (;;) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n >= 0)
            return static_cast<std::size_t>(n);
        if (errno != EINTR)
            return fail_errno("cannot write the file");
    }
}

Result<void> Fs::reserve(int fd, std::uint64_t bytes) {
    // Not posix_fallocate: where the file system cannot, that one writes zeros.
    while (::fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes)) != 0) {
        if (errno == EINTR)
            continue;
        if (is_unsupported(errno))
            return {};
        return fail_errno("cannot reserve space for the file");
    }
    return {};
}

Result<void> Fs::truncate(int fd, std::uint64_t bytes) {
    if (::ftruncate(fd, static_cast<off_t>(bytes)) != 0)
        return fail_errno("cannot set the file's size");
    return {};
}

Result<void> Fs::set_mode(int fd, mode_t mode) {
    if (::fchmod(fd, mode) != 0)
        return fail_errno("cannot set the file's mode");
    return {};
}

Result<void> Fs::set_group(int fd, gid_t group) {
    if (::fchown(fd, static_cast<uid_t>(-1), group) != 0)
        return fail_errno("cannot set the file's group");
    return {};
}

Result<void> Fs::sync_data(int fd) {
    // Never repeated: after a failed sync the kernel may have dropped the pages, and the next call would lie.
    if (::fdatasync(fd) != 0)
        return fail_errno("cannot sync the file");
    return {};
}

Result<void> Fs::sync_directory(int dir) {
    if (::fsync(dir) != 0)
        return fail_errno("cannot sync the directory");
    return {};
}

namespace {

// By the descriptor itself: Linux 6.10 allows that to a process without privilege, for what it has opened
// itself and not changed its credentials since.
[[nodiscard]] bool link_by_descriptor(int fd, int to_dir, const char* to_name) {
    return ::linkat(fd, k_empty_path, to_dir, to_name, AT_EMPTY_PATH) == 0;
}

[[nodiscard]] bool link_by_slot(int fd, int to_dir, const char* to_name) {
    return ::dup3(fd, k_link_slot, O_CLOEXEC) == k_link_slot &&
           ::linkat(AT_FDCWD, k_link_slot_path, to_dir, to_name, AT_SYMLINK_FOLLOW) == 0;
}

} // namespace

Result<void> Fs::link_fd(int fd, int to_dir, const char* to_name) {
    if (slot_.valid() ? link_by_slot(fd, to_dir, to_name) : link_by_descriptor(fd, to_dir, to_name))
        return {};
    if (errno == ENOENT || errno == EXDEV) // no /proc, an old kernel, or an unnamed file that cannot be named
        return fail(Errc::not_found, "an unnamed file cannot be given a name here", errno);
    return fail_naming("cannot name the file");
}

bool Fs::can_link_fd(int fd, int to_dir) {
    // A name that is taken, always: EEXIST comes after everything else was found good.
    if (!slot_.valid() && !link_by_descriptor(fd, to_dir, k_here) && errno == EEXIST)
        return true;
    if (!slot_.valid()) {
        slot_.reset(::fcntl(to_dir, F_DUPFD_CLOEXEC, k_link_slot));
        if (slot_.get() != k_link_slot)
            slot_.reset();
    }
    return slot_.valid() && !link_by_slot(fd, to_dir, k_here) && errno == EEXIST;
}

Result<void> Fs::link_name(int from_dir, const char* from, int to_dir, const char* to) {
    if (::linkat(from_dir, from, to_dir, to, 0) != 0)
        return fail_naming("cannot link the file");
    return {};
}

Result<void> Fs::rename_new(int from_dir, const char* from, int to_dir, const char* to) {
    if (::renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) != 0)
        return fail_naming("cannot rename the file");
    return {};
}

Result<void> Fs::unlink(int dir, const char* name) {
    if (::unlinkat(dir, name, 0) != 0)
        return fail_errno("cannot remove the file");
    return {};
}

Result<FreeSpace> Fs::free_space(int dir) {
    struct statvfs st {};
    while (::fstatvfs(dir, &st) != 0) {
        if (errno != EINTR)
            return fail_errno("cannot ask for the free space");
    }
    return FreeSpace{.available = std::uint64_t{st.f_bavail} * st.f_frsize,
                     .total = std::uint64_t{st.f_blocks} * st.f_frsize,
                     .files = st.f_files == 0 ? UINT64_MAX : std::uint64_t{st.f_favail}};
}

} // namespace gate
