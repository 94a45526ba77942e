// What a process gives up for good before it reads a stranger's first byte: privileges it could gain, being
// traced or dumped, more processes, larger files. What a login has not (CAP_SETPCAP: bounding set,
// securebits) is not tried.
#pragma once

#include "lib/base/result.h"

#include <cstdint>
#include <vector>

namespace gate::sandbox {

struct Limits {
    std::uint64_t file_size; // bytes
    std::uint64_t files;     // descriptors
    std::uint64_t data;      // bytes of memory that is its own
    std::uint64_t memory;    // bytes of address space
};

// no_new_privs, dumpable 0, empty capability sets (effective, permitted, inheritable, ambient), the limits,
// no core, no locked memory, no further process; SIGPIPE and SIGXFSZ are ignored, so that the calls fail
// instead. Any error means: do not go on. Errors: system.
[[nodiscard]] Result<void> harden(const Limits& limits);

// Every other descriptor is closed, those of a parent that forgot O_CLOEXEC included. Errors: system.
[[nodiscard]] Result<void> close_all_but(std::vector<int> keep);

} // namespace gate::sandbox
