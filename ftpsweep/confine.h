// How the processes of the sweep confine themselves, before the first byte of an upload is read.
#pragma once

#include "lib/base/result.h"
#include "lib/sandbox/landlock.h"

#include <array>
#include <sys/types.h>
#include <vector>

namespace gate::sweep {

// No capabilities, no descriptors but 0, 1 and 2, no file system, and the system calls of a parser.
// Errors of both: system. The process must not go on then.
[[nodiscard]] Result<void> confine_checker();

// What the process works with that takes uploads; -1: there is none.
struct Parts {
    int log = -1;
    int data_in = -1;
    int staging = -1;
    int quarantine = -1;
    int checker = -1; // the channel
    pid_t checker_pid = -1;
    int uploads = -1;
    int held = -1;
    std::vector<int> others; // files that it reads and writes in place
};

// What Landlock lets the process do with them.
[[nodiscard]] std::array<sandbox::DirectoryRight, 5> rights_of(const Parts& parts);

// How much of the sandbox this kernel has.
struct Protection {
    int landlock = 0;           // the version (ABI); 0 = none
    bool files_confined = true; // by Landlock, beside the filter
};

// No capabilities, no descriptors but its parts, and no rights but to read and remove uploads, to hold them,
// to make files in staging, and to move those into data_in and quarantine.
[[nodiscard]] Result<Protection> confine(const Parts& parts);

} // namespace gate::sweep
