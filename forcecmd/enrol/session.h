// The sessions that hand a public key over to the enrolment service: of a login without a key, and of one
// that asks for another key in place of its own. One process: it has the client's descriptors and two
// sockets, and no file system.
#pragma once

#include "forcecmd/login.h"

namespace gate::drop::enrol {

// Everything that a login without a key may do. Returns the exit status.
[[nodiscard]] int serve(const EnrolLogin& login);

// The command of a login with a key that asks for a new one.
[[nodiscard]] bool is_rotation(const Login& login);
[[nodiscard]] int rotate(const Login& login);

} // namespace gate::drop::enrol
