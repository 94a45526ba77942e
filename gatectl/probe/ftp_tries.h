// The same over FTP (RFC 959, 2228, 2428, 3659, 4217).
#pragma once

#include "gatectl/probe/commands.h"
#include "gatectl/probe/tries.h"

namespace gate::ctl {

// Throws Problem (unavailable) if the user cannot log in at all.
[[nodiscard]] ProbeReport probe_ftp(Context& context, const ProbeRequest& request);

} // namespace gate::ctl
