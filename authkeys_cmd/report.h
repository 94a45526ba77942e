// An answer as an audit event. The only part that touches the logger and the time zone, and only when there
// is something to tell.
#pragma once

#include "authkeys_cmd/answer.h"

#include <string>
#include <string_view>
#include <sys/types.h>

namespace gate::authkeys {

// The event's line of JSON. `repeated`: so many of the same were not told; user and fingerprint are what a
// stranger sent; `sshd` is sshd's session process.
[[nodiscard]] std::string event_line(const Answer& answer, std::string_view user,
                                     std::string_view fingerprint, pid_t sshd, std::uint64_t repeated = 0);
// Sends it, if the answer wants to be told, and the same was not just told of the keyring (ration.h).
void report(const Answer& answer, const Request& request);

} // namespace gate::authkeys
