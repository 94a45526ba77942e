// The seam: every system call by which the drop path changes a file system goes through here, so that tests
// can fail the n-th one. Each is the call of the same name, retried on EINTR where the call may be repeated.
#pragma once

#include "lib/base/fd.h"
#include "lib/base/result.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <sys/stat.h>
#include <sys/types.h>

namespace gate {

// The only names that the drop path hands to the kernel for something other than a new file. A system call
// filter cannot read a name, but it knows these by where they are, in memory that nobody can write
// (lib/sandbox/filter.h): so always these objects, never a literal.
extern const char k_empty_path[1]; // "": with AT_EMPTY_PATH, the descriptor itself
extern const char k_here[2];       // "."
// Where an unnamed file is put to be linked by its magic link, on kernels where it cannot be by its
// descriptor.
inline constexpr int k_link_slot = 63;
extern const char k_link_slot_path[17]; // "/proc/self/fd/63"

// fstat(2), by the one name that a filter lets through. False: errno says why.
[[nodiscard]] bool stat_fd(int fd, struct stat& st);

struct FreeSpace {
    std::uint64_t available; // bytes an unprivileged process may still use
    std::uint64_t total;     // bytes
    std::uint64_t files;     // inodes available; UINT64_MAX where the file system does not count them
};

class Fs {
  public:
    Fs() = default;
    Fs(const Fs&) = delete;
    Fs& operator=(const Fs&) = delete;
    virtual ~Fs() = default;

    // O_TMPFILE|O_WRONLY in the directory. Errors: not_found where the file system or kernel has no such
    // thing.
    [[nodiscard]] virtual Result<Fd> open_tmpfile(int dir, mode_t mode);
    // O_CREAT|O_EXCL|O_NOFOLLOW|O_WRONLY. Errors: exists.
    [[nodiscard]] virtual Result<Fd> create(int dir, const char* name, mode_t mode);
    // One write(2): how many bytes it took.
    [[nodiscard]] virtual Result<std::size_t> write(int fd, std::span<const std::byte> bytes);
    // fallocate(2) with FALLOC_FL_KEEP_SIZE. A file system without it is no error: nothing is reserved.
    [[nodiscard]] virtual Result<void> reserve(int fd, std::uint64_t bytes);
    [[nodiscard]] virtual Result<void> truncate(int fd, std::uint64_t bytes);
    [[nodiscard]] virtual Result<void> set_mode(int fd, mode_t mode);
    [[nodiscard]] virtual Result<void> set_group(int fd, gid_t group);
    [[nodiscard]] virtual Result<void> sync_data(int fd);
    [[nodiscard]] virtual Result<void> sync_directory(int dir);
    // Gives an O_TMPFILE a name; never replaces. Errors: exists; not_found where this cannot be done.
    [[nodiscard]] virtual Result<void> link_fd(int fd, int to_dir, const char* to_name);
    // Could link_fd() give this one a name in the directory? Asks for a name that is taken: nothing is made.
    // Finds out which way the kernel allows, and link_fd() takes that one from then on: so, once, before a
    // sandbox.
    [[nodiscard]] virtual bool can_link_fd(int fd, int to_dir);
    // linkat(2) of a name; never replaces. Errors: exists.
    [[nodiscard]] virtual Result<void> link_name(int from_dir, const char* from, int to_dir, const char* to);
    // renameat2(2) with RENAME_NOREPLACE. Errors: exists.
    [[nodiscard]] virtual Result<void> rename_new(int from_dir, const char* from, int to_dir, const char* to);
    [[nodiscard]] virtual Result<void> unlink(int dir, const char* name);
    [[nodiscard]] virtual Result<FreeSpace> free_space(int dir);

    // The descriptor that link_fd() puts unnamed files at; -1: it links them by their own.
    [[nodiscard]] int link_slot() const { return slot_.get(); }

  private:
    Fd slot_; // holds k_link_slot, so that nothing else gets it
};

} // namespace gate
