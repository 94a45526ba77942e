// The session of a managed account: its two events, and what the second must know of the first.
#pragma once

#include "pam_pandora/options.h"

#include <security/pam_modules.h>
#include <string_view>

namespace gate::pam {

// With require_key, first refuses every login whose key is not good; with enrol too, unless the auth line let
// it in: it gets a ticket then (lib/enrol/ticket.h), and so does a login by key where the policy lets keys be
// rotated. Then says session.opened and keeps what
// session.closed needs with the PAM handle. Without require_key a keyring that cannot be read refuses nobody;
// the event says why it could not. Returns a PAM code: PAM_SUCCESS, PAM_SESSION_ERR (refused), or that of
// pam_set_data().
[[nodiscard]] int open_session(pam_handle_t* pamh, const Options& options, std::string_view user);

// Takes the ticket back and says session.closed. PAM_IGNORE if open_session() was not called, or not
// successful, on this handle.
[[nodiscard]] int close_session(pam_handle_t* pamh, const Options& options);

} // namespace gate::pam
