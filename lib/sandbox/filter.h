// Which system calls the two processes of drop may still make, and with what: seccomp filters, made by
// libseccomp. Whatever is not here ends the process with SIGSYS, and so does any call of another
// architecture.
//
// A filter sees numbers, no memory. So that a name can be told all the same, those that name no new file are
// constants (lib/base/fs.h) known by their address: their page can be neither written, unmapped nor moved by
// a process that this filter holds. The name of a new file cannot be told: whoever may publish may choose it.
// Landlock keeps such a name in the directories that are granted, the owner of data_in's sub-directories
// keeps it out of those (SECURITY.md).
#pragma once

#include "lib/base/result.h"

#include <array>
#include <fcntl.h>
#include <span>
#include <sys/types.h>

namespace gate::sandbox {

// What parses: reads descriptor 0, writes 1 and 2, speaks on the channel, stages in memory.
[[nodiscard]] Result<void> filter_front(int channel);

struct EnrolCalls {
    int service = -1;              // not connected yet
    const void* address = nullptr; // a constant: the one that it may be connected to, and
    int address_size = 0;          // of it: bytes
    int log = -1;                  // connected; -1: there is none
};
// What takes one public key: reads descriptor 0, writes 1 and 2, asks the enrolment service and tells the
// log.
[[nodiscard]] Result<void> filter_enrol(const EnrolCalls& calls);

struct PublisherCalls {
    int channel = -1;             // recvmsg, sendmsg
    int log = -1;                 // sendto: to any address, as that is a pointer
    std::span<const int> staging; // where files are made
    std::span<const int> targets; // where they get their names
    bool named = false;           // staged files have names: made, linked or renamed, and removed by them
    int link_slot = -1;           // Fs::link_slot()
    pid_t front = -1;             // may be killed and waited for
};
// What publishes. Every descriptor that is open can be written, read at an offset, locked and synced.
[[nodiscard]] Result<void> filter_publisher(const PublisherCalls& calls);

// The one way to open what lies there: it follows no link, waits for nobody, and becomes no terminal.
inline constexpr int k_open_upload = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

struct SweepCalls {
    int log = -1;                          // sendto
    int staging = -1;                      // where files are made, with names, and moved from
    std::array<int, 2> targets = {-1, -1}; // where they are moved to
    std::array<int, 2> inboxes = {-1, -1}; // the upload directory, and the one for what is held
    pid_t checker = -1;                    // may be killed and waited for
};
// What takes uploads: as the publisher with named files; besides it opens uploads, asks for their locks,
// removes them, and moves them between upload directories.
[[nodiscard]] Result<void> filter_sweep(const SweepCalls& calls);

} // namespace gate::sandbox
