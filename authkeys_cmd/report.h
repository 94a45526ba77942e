// An answer as an audit event. The only part that touches the logger and the time zone, and only when there
// is something to tell.
#pragma once

#include "authkeys_cmd/answer.h"

#include <string>
#include <string_view>
#include <sys/types.h>

namespace gate::authkeys {

// The event's line of JSON. user and fingerprint are what a stranger sent; `sshd` is sshd's session process.
[[nodiscard]] std::string event_line(const Answer& answer, std::string_view user,
                                     std::string_view fingerprint, pid_t sshd);
// Sends it, if the answer wants to be told.
void report(const Answer& answer, std::string_view user, std::string_view fingerprint);

} // namespace gate::authkeys
