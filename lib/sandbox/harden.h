// What a process gives up for good before it reads a stranger's first byte: privileges it could gain, being
// traced or dumped, more processes, larger files. What a login has not (CAP_SETPCAP: bounding set,
// securebits) is not tried.
#pragma once

#include "lib/base/result.h"

#include <cstdint>

namespace gate::sandbox {

// no_new_privs, dumpable 0, empty capability sets (effective, permitted, inheritable, ambient), no core, no
// further process, no file over `max_file_size` bytes; SIGPIPE and SIGXFSZ are ignored, so that the calls
// fail instead. Any error means: do not go on. Errors: system.
[[nodiscard]] Result<void> harden(std::uint64_t max_file_size);

} // namespace gate::sandbox
