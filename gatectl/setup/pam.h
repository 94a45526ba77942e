// Lines of pam_pandora in the machine's PAM files: where they belong, on Debian and on Fedora or RHEL. The
// text in, the text out; what an earlier setup, or somebody by hand, put in is taken out first.
#pragma once

#include "gatectl/setup/machine.h"

#include <string>

namespace gate::ctl::setup {

// /etc/pam.d/sshd with the lines of the drop-in form.
[[nodiscard]] std::string with_login_lines(const std::string& text, const Machine& machine, bool enrolment);
// /etc/pam.d/common-account (Debian), system-auth, password-auth: the line that keeps the account out of su,
// cron and the like. `services`: those that stay.
[[nodiscard]] std::string with_services_line(const std::string& text, const Machine& machine,
                                             const std::string& services);
// /etc/pam.d/pandora-sshd: the whole file of the gate's own sshd.
[[nodiscard]] std::string own_service(const Machine& machine, bool enrolment);

} // namespace gate::ctl::setup
