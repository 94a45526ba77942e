// Small files that only their owner may see, in a directory that only he may enter: hashes of codes, tickets,
// counts of guesses. Whoever could write one could let himself in, so each is refused unless owner and mode
// of file and directory are right.
#pragma once

#include "lib/base/fd.h"
#include "lib/base/result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace gate::enrol {

// Opens a directory (no link) that is `owner`'s, and nobody else's business: no mode for group and others.
// Errors: missing, not_regular, wrong_owner, writable, system.
[[nodiscard]] Result<Fd> open_private_directory(const std::string& path, uid_t owner);

// The same of a file in one. Errors: those, and not_regular for one that has several names.
[[nodiscard]] Result<Fd> open_private(int dir, const std::string& name, uid_t owner, int flags = 0);

// The whole of it. Errors: those, too_large, system.
[[nodiscard]] Result<std::string> read_private(int dir, const std::string& name, uid_t owner,
                                               std::size_t cap);

// In one step in the place of what is there, mode 0600: written beside it, and renamed. `durable`: on the
// disk before and after. Errors: system, no_space.
[[nodiscard]] Result<void> replace_private(int dir, const std::string& name, std::string_view bytes,
                                           bool durable);

// XXH3-64: against damage, not against people.
[[nodiscard]] std::uint64_t checksum_of(std::string_view bytes);

} // namespace gate::enrol
