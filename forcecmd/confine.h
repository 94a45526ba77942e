// How the processes of drop confine themselves, after everything that opens a file or a socket was done
// and before the first byte of the client is read. SECURITY.md says what holds then.
#pragma once

#include "lib/base/result.h"
#include "lib/keyring/policy.h"
#include "lib/sandbox/filter.h"
#include "lib/sandbox/landlock.h"

#include <sys/types.h>
#include <vector>

namespace gate::drop {

// What the publisher works with; -1: there is none.
struct PublisherParts {
    int channel = -1;
    int log = -1;
    int data_in = -1;
    int staging = -1; // data_in too, where nothing can be moved (see can_move_files())
    int quarantine = -1;
    bool named = false; // staged files have names
    int link_slot = -1; // Fs::link_slot()
    pid_t front = -1;
    std::vector<int> others; // files that it reads and writes in place
};

// How much of the sandbox this kernel has.
struct Protection {
    int landlock = 0;           // the version (ABI); 0 = none
    bool files_confined = true; // by Landlock, beside the filter
};

// Landlock before Linux 5.19 lets no file move from one directory to another: without names they have to be
// made in data_in itself.
[[nodiscard]] bool can_move_files();

// No capabilities, no descriptors but 0, 1, 2 and the channel, no file system, and the system calls of a
// parser. Errors of all: system. The process must not go on then.
[[nodiscard]] Result<void> confine_front(int channel, const keyring::Policy& policy);
// No capabilities, no descriptors but its parts, no rights but to make files in staging, and to give them
// names in data_in and quarantine.
[[nodiscard]] Result<Protection> confine_publisher(const PublisherParts& parts,
                                                   const keyring::Policy& policy);
// As the front, but for two sockets in place of the channel.
[[nodiscard]] Result<void> confine_enrolment(const sandbox::EnrolCalls& sockets);
// What Landlock grants to the publisher. Apart, because the filter would hide a mistake in it.
[[nodiscard]] std::vector<sandbox::DirectoryRight> publisher_rights(const PublisherParts& parts, int abi);

} // namespace gate::drop
