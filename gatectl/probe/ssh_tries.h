// The tries over SSH: a table, each with how it is made and what shows that it was possible. "Succeeded" is
// said only of what was seen to work: bytes that came, a port that was opened, a command that the server
// said yes to.
#pragma once

#include "gatectl/probe/commands.h"
#include "gatectl/probe/tries.h"

namespace gate::ctl {

// Throws Problem (unavailable) if the key cannot log in at all.
[[nodiscard]] ProbeReport probe_ssh(Context& context, const ProbeRequest& request);

} // namespace gate::ctl
