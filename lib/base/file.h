// Whole small files, read safely: opened without following a link, checked on the open descriptor.
#pragma once

#include "lib/base/fd.h"
#include "lib/base/result.h"

#include <cstddef>
#include <span>
#include <string>
#include <sys/types.h>

namespace gate {

// Opens a regular file for reading. The last component is not followed if it is a link, opening a FIFO does
// not block, and the checks are made on the descriptor, so nothing can be exchanged between check and use.
// Errors: missing, not_regular, system.
[[nodiscard]] Result<Fd> open_regular(const char* path);

// The same relative to an open directory, for reading, or with other `flags` (O_RDWR, O_CREAT), and the file
// has no second name. Errors: those of open_regular; no_space.
[[nodiscard]] Result<Fd> open_single(int dir, const char* name, int flags = 0, mode_t mode = 0);

// As open_regular(), and the file is `owner`'s and writable by nobody else. Errors: also wrong_owner,
// writable.
[[nodiscard]] Result<Fd> open_trusted(const char* path, uid_t owner);

// Reads exactly buffer.size() bytes at `offset` (bytes). Errors: truncated, system.
[[nodiscard]] Result<void> read_exact_at(int fd, std::span<std::byte> buffer, std::uint64_t offset);

// The whole file, refused over `cap` bytes (too_large). Meant for /proc and short configuration files.
[[nodiscard]] Result<std::string> read_all(int fd, std::size_t cap);

// Writes everything, resuming after a short write. Errors: system, no_space.
[[nodiscard]] Result<void> write_all(int fd, std::span<const std::byte> bytes);

} // namespace gate
