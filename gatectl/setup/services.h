// Which services have to hear of a change, and how.
#pragma once

#include "gatectl/setup/machine.h"
#include "gatectl/setup/step.h"

#include <string>
#include <vector>

namespace gate::ctl::setup {

// Arguments of systemctl, in this order: {"reload", "ssh.service"}.
[[nodiscard]] std::vector<Command> services_before(const std::vector<Step>& steps);
[[nodiscard]] std::vector<Command> services_after(const std::vector<Step>& steps, const Machine& machine);
// Throws Problem (io). Only where systemd runs.
void run_services(const Place& place, Runner& runner, const std::vector<Command>& commands);

} // namespace gate::ctl::setup
