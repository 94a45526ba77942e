// What the audit has of one agent: the last events of a kind, read backwards from the end of the file, and of
// the one that was rotated before it, as far as k_most_read goes. A line is written by our own programs, but
// names in it were chosen by strangers; what is no event is passed over.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>

namespace gate::ctl {

// Bytes. A fleet of 3,000 agents writes some 200 MB a day, so this is the last hours; what is older than
// that is a silence anyway.
inline constexpr std::uint64_t k_most_read = 64U << 20;

// Calls visit(line) for each line, the last one first, until it says false. False: not all was read, for
// there was too much. A file that is not there has no lines. Throws Problem (io, no_permission).
bool each_line_backwards(const std::string& file, std::uint64_t& budget,
                         const std::function<bool(std::string_view)>& visit);

struct LastEvent {
    std::string time{};    // as the audit has it; empty: none
    std::string address{}; // the last five: printable bytes
    std::string key{};
    std::string what{}; // the event's code
    std::string rule{};
    std::string reason{};
    std::string remedy{};
    std::string file{};
};

struct AgentTrail {
    LastEvent login{};            // session.opened by one of its keys
    LastEvent drop{};             // drop.accepted, drop.resent, of a file of the agent
    LastEvent refusal{};          // of a login with one of its keys, or of a file of the agent
    std::uint64_t mismatches = 0; // agent.mismatch by one of its keys, or naming the agent
    bool read_all = true;
};

struct AgentIdentity {
    std::string name;
    std::string md5;               // how newer agents name their files
    std::set<std::string> keys{};  // ids of keys that may send for it
    std::set<std::string> alone{}; // those of them that send for it only: whatever they do is the agent's
};

[[nodiscard]] AgentTrail read_trail(const std::string& file, const AgentIdentity& agent);

} // namespace gate::ctl
