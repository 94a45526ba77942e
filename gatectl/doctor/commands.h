// `pandora-gate doctor`: what is wrong with this machine's gate, and what to do. Returns what belongs on
// stdout, throws Problem.
#pragma once

#include "gatectl/context.h"
#include "gatectl/registry.h"

#include <string>
#include <vector>

namespace gate::ctl {

struct DoctorRequest {
    std::vector<std::string> only{}; // ids; none: all
    bool json = false;
    bool quiet = false; // only what is an error or a warning, a line each
    bool list = false;
};

inline constexpr int k_doctor_warnings = 1; // exit statuses
inline constexpr int k_doctor_errors = 2;

namespace doctor {
class Machine;
}

[[nodiscard]] std::string doctor_command(Context& context, const DoctorRequest& request);
// The same on another machine than this one; for tests.
[[nodiscard]] std::string doctor_command(Context& context, const DoctorRequest& request,
                                         const doctor::Machine& machine);

void register_doctor(const Registry& registry);

} // namespace gate::ctl
