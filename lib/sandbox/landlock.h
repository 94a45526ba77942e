// Landlock: what a process may still do with the file system, by the kernel's own system calls (landlock(7);
// no library). Whatever the running kernel's Landlock knows of is denied, unless it is granted here.
//
// Landlock does not cover stat(2) nor reading a directory that is open already, and a right on a directory is
// one on all that is below it: the filter (filter.h) is the other half.
#pragma once

#include "lib/base/result.h"

#include <cstdint>
#include <span>

namespace gate::sandbox {

enum class Access : std::uint32_t {
    none = 0,
    make_file = 1U << 0,  // create regular files
    write_file = 1U << 1, // open them for writing
    truncate = 1U << 2,   // since ABI 3; before that never denied
    move = 1U << 3, // to and from other directories that have it; since ABI 2, before that always denied
    remove_file = 1U << 4, // unlink, and rename away
    read_file = 1U << 5,   // open for reading
    list = 1U << 6,        // open directories
};
[[nodiscard]] constexpr Access operator|(Access a, Access b) {
    return static_cast<Access>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}

struct DirectoryRight {
    int dir; // open; -1: nothing is granted
    Access access;
};

enum class Signals : bool { anyone, own_domain };

// The version of the running kernel's Landlock: 0 = it has none (or it is turned off), 1 = it knows no
// `move`.
[[nodiscard]] int landlock_abi();

// The process, and what it will start, may do nothing with files but what is granted; nor bind or connect TCP
// (ABI 4), reach abstract sockets of others (ABI 6), nor, with own_domain, signal others (ABI 6). What is
// open stays as it was opened. Needs no_new_privs. `abi` is that of landlock_abi(), not 0. Errors: system.
[[nodiscard]] Result<void> restrict_files(int abi, std::span<const DirectoryRight> rights, Signals signals);

} // namespace gate::sandbox
