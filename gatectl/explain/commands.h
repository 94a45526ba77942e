// `pandora-gate explain`: one case - who, with which key, from where, wants what - walked through authkeys,
// PAM and the drop policy; each decision is said with its rule. Nothing is changed by asking. Throws Problem.
#pragma once

#include "gatectl/context.h"
#include "gatectl/explain/pam.h"
#include "gatectl/registry.h"

#include <cstdint>
#include <optional>
#include <string>

namespace gate::ctl {

inline constexpr const char* k_authkeys = GATE_LIBEXECDIR "/authkeys";
inline constexpr const char* k_command_user = "_pandora-gate"; // AuthorizedKeysCommandUser
inline constexpr int k_into_quarantine = 3; // exit status: taken, but a human will have to look at it

struct ExplainRequest {
    std::string user{};
    std::string key{};                    // a .pub file, an id, or a fingerprint
    std::string address{};                // of the client
    std::optional<std::string> command{}; // what the client asks sshd to run; empty: nothing
    std::string file{};                   // the name of a packet; empty: none
    std::string packet_agent{};           // the agent_name in it; empty: not looked at
    std::optional<std::uint64_t> size{};  // bytes
    std::string service = "sshd";         // of PAM
    bool json = false;
    // A test has its own.
    std::string authkeys = k_authkeys;
    PamAnswer (*ask_pam)(const PamQuestion&) = gate::ctl::ask_pam;
};

// The context's exit status: 0 let in or taken, 1 refused, k_into_quarantine.
[[nodiscard]] std::string explain(Context& context, const ExplainRequest& request);

void register_explain(const Registry& registry);

} // namespace gate::ctl
