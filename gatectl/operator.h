// Who is at the keyboard, for the history and the audit. A name for people, not a proof: root can say
// anything.
#pragma once

#include <string>

namespace gate::ctl {

// SUDO_USER under sudo, otherwise the name of the real user, otherwise "uid N".
[[nodiscard]] std::string operator_name();

} // namespace gate::ctl
