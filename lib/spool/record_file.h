// Small files that several processes share: opened once, before a sandbox, then read and written in place.
// What is written carries a checksum, so that a torn or damaged record is never taken for a true one.
#pragma once

#include "lib/base/fd.h"
#include "lib/base/result.h"

#include <cstddef>
#include <span>
#include <string>
#include <sys/types.h>

namespace gate::spool {

enum class Open : std::uint8_t { read, write, create };

// A regular file with one link, of `owner`, through no link; `create` makes it (0600) where it is missing.
// Errors: missing, not_regular, wrong_owner, system, no_space.
[[nodiscard]] Result<Fd> open_shared(int dir, const char* name, Open how, uid_t owner);

// flock(2) for at most `patience_ms`. Errors: closed (somebody else holds it), system.
[[nodiscard]] Result<void> lock_for(int fd, int patience_ms);
void unlock(int fd);

// A record of a fixed size at the start of the file, followed by its checksum. false: the file is empty.
// Errors: damaged, system.
[[nodiscard]] Result<bool> read_record(int fd, std::span<std::byte> record);
[[nodiscard]] Result<void> write_record(int fd, std::span<const std::byte> record);

} // namespace gate::spool
