// `pandora-gate pause`, `resume`: deliveries are refused for a while, so that agents keep their packets;
// logins go on. Sessions that run already see it with their next file. Each throws Problem.
#pragma once

#include "gatectl/context.h"

#include <string>

namespace gate::ctl {

struct PauseRequest {
    std::string reason;   // empty: as it was
    std::string duration; // "2h"; empty: until it is resumed
};

[[nodiscard]] std::string pause_deliveries(Context& context, const PauseRequest& request);
[[nodiscard]] std::string resume_deliveries(Context& context);
[[nodiscard]] std::string pause_status(Context& context, bool json);

} // namespace gate::ctl
