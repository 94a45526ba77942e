// require_key: a session is for one key that is in the keyring and may be used now, whatever else sshd took
// for a proof: a password, a line that somebody wrote into authorized_keys, a certificate.
#pragma once

#include "pam_pandora/login_key.h"
#include "pam_pandora/rules.h"

namespace gate::pam {

// allowed, denied, or error if the keyring could not be asked.
[[nodiscard]] Verdict decide_key(const AuthInfo& info, const KnownKey& known);

} // namespace gate::pam
