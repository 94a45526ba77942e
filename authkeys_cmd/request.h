// The command line: authkeys [--keyring FILE] [--owner UID] [--state DIR] [--report no] USER FINGERPRINT
//
// sshd fills USER and FINGERPRINT from %u and %f; a stranger chose both. The options are for tests and for
// installations that keep the keyring elsewhere; they come first, so that no user name can be one of them.
#pragma once

#include "lib/base/result.h"
#include "lib/keyring/reader.h"

#include <string_view>
#include <sys/types.h>

namespace gate::authkeys {

// Where it is remembered what was told; conf/tmpfiles.d makes it.
inline constexpr const char* k_default_state = "/run/pandora-gate/authkeys";

// Views and pointers into argv.
struct Request {
    const char* keyring = keyring::k_default_path;
    uid_t owner = 0;
    const char* state = k_default_state;
    bool report = true; // no: for `pandora-gate explain`, which asks and is no login
    std::string_view user;
    std::string_view fingerprint; // as given; not yet parsed
};

// Errors: bad_input.
[[nodiscard]] Result<Request> parse_request(int argc, const char* const* argv);

} // namespace gate::authkeys
