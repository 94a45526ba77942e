// The poll loop between a client and a Machine.
#pragma once

#include "forcecmd/front/dropbox.h"

#include <cstdint>
#include <unistd.h>

namespace gate::drop {

struct Timeouts {
    std::uint32_t idle;    // seconds without a byte in either direction
    std::uint32_t session; // seconds from the start
};

// Descriptors. The client is read from 0.
struct Ends {
    int publisher = -1; // whose end is that of the session; -1: there is none
    int out = STDOUT_FILENO;
};

// Until the machine is finished, the client or the publisher is gone, or time is up. Returns the exit status.
[[nodiscard]] int pump(Machine& machine, Ends ends, Timeouts timeouts);

} // namespace gate::drop
