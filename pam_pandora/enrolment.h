// `enrol`: how somebody without a key may log in, to hand one over and for nothing else: with a one-time
// code, or, while an administrator has turned that on, with the account's password, which another module
// checks.
//
// What the auth line found is kept with the PAM handle, where only this process can put it, and what the
// service says of the login (SSH_AUTH_INFO_0) must agree: sshd runs auth and session of a password login in
// one process and on one handle (9.2, run). keyboard-interactive authenticates in another process, so that
// nothing is found in open_session, and the login is refused.
#pragma once

#include "lib/base/result.h"
#include "lib/enrol/ticket.h"
#include "pam_pandora/login_key.h"
#include "pam_pandora/options.h"

#include <optional>
#include <security/pam_modules.h>
#include <string>
#include <string_view>

namespace gate::pam {

// The auth line. PAM_SUCCESS: it is a code that is good now. PAM_IGNORE: it is none, and the account's
// password may be tried. Otherwise refused, and told.
[[nodiscard]] int authenticate_by_code(pam_handle_t* pamh, const Options& options, std::string_view user);

// The session line: what the auth line let in; nullopt: nothing that would do for this login.
[[nodiscard]] std::optional<enrol::Ticket> admitted(pam_handle_t* pamh, std::string_view user,
                                                    const AuthInfo& info);

// Takes back what the auth line counted as a guess: the account's password was right.
void forgive_guess(pam_handle_t* pamh, const Options& options);

// Where tickets are.
[[nodiscard]] std::string ticket_directory(const Options& options);

} // namespace gate::pam
