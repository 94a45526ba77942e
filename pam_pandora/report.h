// What the module says, and to whom: one audit event for every refusal, and one line by pam_syslog for the
// human who reads the log. The client is told nothing.
#pragma once

#include "lib/audit/line.h"
#include "pam_pandora/options.h"
#include "pam_pandora/rules.h"

#include <security/pam_modules.h>
#include <string_view>

namespace gate::pam {

// An item of the transaction as text, empty if it is not set. Valid until the item changes.
[[nodiscard]] std::string_view item(pam_handle_t* pamh, int type);

// The fields every event of this module has: session, user, service, rhost, tty (the last two if set).
void add_login(audit::Line& line, pam_handle_t* pamh, std::string_view user);

// Sends one event. A logger that is away costs at most the transport's patience and refuses nobody.
void send(audit::Line&& line);

void report_refusal(pam_handle_t* pamh, const char* phase, const Options& options, std::string_view user,
                    const Verdict& verdict);
void report_bad_option(pam_handle_t* pamh, const char* phase, const BadOption& bad);
// Only with `debug`.
void report_debug(pam_handle_t* pamh, const Options& options, std::string_view user, const char* what);

} // namespace gate::pam
