// `pandora-gate agent NAME`: how one agent is: its keys, what the audit has of it last, what waits in the
// quarantine, what it has used of its quotas; and one word for all that, which is the exit status too. Only
// looks. Throws Problem.
#pragma once

#include "gatectl/context.h"
#include "gatectl/registry.h"

#include <string>

namespace gate::ctl {

inline constexpr const char* k_default_audit = "/var/log/pandora-gate/audit.jsonl";

struct AgentRequest {
    std::string name{};
    std::string silent_for = "1h"; // without a drop for longer: a warning
    std::string audit = k_default_audit;
    bool json = false;
};

// The context's exit status: 0 healthy, 1 a warning, 2 broken.
[[nodiscard]] std::string agent_health(Context& context, const AgentRequest& request);

void register_agent(const Registry& registry);

} // namespace gate::ctl
