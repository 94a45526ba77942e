// sshd itself is asked whether it understands what was written, and whose value wins for the account.
#pragma once

#include "gatectl/setup/machine.h"
#include "gatectl/setup/sshd.h"

#include <string>
#include <vector>

namespace gate::ctl::setup {

// Throws Problem (refused) with what sshd says.
void check_syntax(Runner& runner, const Machine& machine, const std::string& config = {});
// After the drop-in form, or the gate's own sshd, was put in place. Throws Problem (refused): somebody else's
// setting wins. Returns remarks.
[[nodiscard]] std::vector<std::string> check_result(Runner& runner, const Machine& machine,
                                                    const SshWishes& wishes);
// The gate's own sshd was started: does it say who it is? Throws Problem (refused).
void check_greeting(Runner& runner, const SshWishes& wishes);
// The same before it is started: nobody else may answer there, or agents would be sent to him. Throws Problem
// (refused).
void check_silence(Runner& runner, const SshWishes& wishes);
// The administrators' sshd must not have the port already. Throws Problem (refused).
void check_port(Runner& runner, const Machine& machine, const SshWishes& wishes);

} // namespace gate::ctl::setup
