// The front: the process that parses everything a client sends. It has the client's descriptors, memory, and
// one socket to the publisher; no file system, no logger.
#pragma once

#include "forcecmd/channel.h"
#include "forcecmd/login.h"

namespace gate::drop {

// Serves the client on descriptors 0, 1 and 2. Returns the exit status, which the publisher was told too.
[[nodiscard]] int run_front(Channel channel, const Login& login);

} // namespace gate::drop
