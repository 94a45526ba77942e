// The parts of a fix that differ from machine to machine: which form of the gate, which unit, which packages.
#pragma once

#include "gatectl/doctor/facts.h"

#include <string>
#include <string_view>

namespace gate::ctl::doctor {

// "pandora-gate setup ssh --own-port 2222 --apply": with what setup has to be told again. `more`: options.
[[nodiscard]] std::string setup_ssh(const Facts& f, std::string_view more = {});
// The unit of the sshd that agents meet, and of the administrators'.
[[nodiscard]] const char* gate_unit(const Facts& f);
[[nodiscard]] const char* main_unit(const Facts& f);
// "apt-get install NAME".
[[nodiscard]] std::string install(const Facts& f, std::string_view package);
[[nodiscard]] std::string reinstall(const Facts& f, std::string_view package);

} // namespace gate::ctl::doctor
