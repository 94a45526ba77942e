// The poll loop between a client on descriptors 0 and 1 and a Machine.
#pragma once

#include "forcecmd/front/remote_dropbox.h"

#include <cstdint>

namespace gate::drop {

struct Timeouts {
    std::uint32_t idle;    // seconds without a byte in either direction
    std::uint32_t session; // seconds from the start
};

// Until the machine is finished, the client or the publisher is gone, or time is up. Returns the exit status.
[[nodiscard]] int pump(Machine& machine, const RemoteDropbox& dropbox, int publisher, Timeouts timeouts);

} // namespace gate::drop
