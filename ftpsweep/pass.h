// One pass over one upload directory, by a process of its own: what it opens, it opens anew, so settings and
// keys are those of the newest keyring, nothing that it could lose matters to the next one, and what one
// sender does to it happens to no other.
#pragma once

#include "ftpsweep/inbox.h"
#include "lib/keyring/reader.h"
#include "lib/spool/state.h"

#include <sys/types.h>

namespace gate::sweep {

// What a pass ends with; exit statuses of its process.
enum class PassStatus : int {
    done = 0,    // nothing is left
    waiting = 1, // something may be taken later
    soon = 2,    // in a moment
    more = 3,    // there was too much for one pass
    failed = 70, // nothing can be taken
};

struct Order {
    Place place;
    uid_t owner = 0; // of the uploads
    const keyring::Reader& keyring;
    const keyring::Policy& policy;
    spool::StatePaths state{};
    bool tell = true; // the audit, if it fails, or the kernel lacks a part of the sandbox
};

// Waits a moment for another sweep of the same directory. Confines the process: it is good for nothing else
// afterwards. A pass that failed ends the process at once, as a crash would: what it was doing is in its
// journal.
[[nodiscard]] PassStatus run_pass(const Order& order);

} // namespace gate::sweep
