// What is known of one agent, and what it amounts to.
#pragma once

#include "gatectl/agent/trail.h"
#include "gatectl/keys/json.h"
#include "gatectl/store/key.h"

#include <cstdint>
#include <string>
#include <vector>

namespace gate::ctl {

// The exit status of `pandora-gate agent`.
enum class Health : int { healthy = 0, warning = 1, broken = 2 };
[[nodiscard]] const char* word_of(Health health);

struct AgentKey {
    std::string id{};
    std::string state{};       // as `keys list` has it
    std::string agent{};       // its name or pattern that fits
    std::int64_t expires = 0;  // seconds; 0: never
    std::int64_t last_use = 0; // 0: never, as far as is remembered
    std::uint64_t files = 0;   // within quota.window
    std::uint64_t bytes = 0;
    std::uint64_t quota_files = 0;
    std::uint64_t quota_bytes = 0;
};

struct Finding {
    Health health = Health::warning;
    std::string what{}; // printable
    std::string remedy{};
};

struct AgentState {
    std::string name{};
    std::vector<AgentKey> keys{};
    AgentTrail trail{};
    std::int64_t last_drop = 0; // seconds: by the audit, or by a key that is the agent's alone; 0: never
    std::vector<std::string> waiting{}; // ids in the quarantine
    std::vector<std::string> pending{}; // ids of keys that wait to take the place of one of its own
    std::uint32_t quota_window = 0;     // seconds
    std::vector<Finding> findings{};    // the worst first
    [[nodiscard]] Health health() const {
        return findings.empty() ? Health::healthy : findings.front().health;
    }
};

// `now`, `silent_for`: seconds. Fills in `findings`.
void judge(AgentState& state, std::int64_t now, std::int64_t silent_for);

[[nodiscard]] std::string to_text(const AgentState& state, std::size_t columns);
[[nodiscard]] Json to_json(const AgentState& state);

// Names like the one that nobody knows: those within two edits, or that begin or end alike; at most three.
[[nodiscard]] std::vector<std::string> near_names(const std::string& name,
                                                  const std::vector<std::string>& known);

// "2026-11-24T06:01:02.123Z" in seconds; 0: it is none.
[[nodiscard]] std::int64_t seconds_of(std::string_view time);

} // namespace gate::ctl
