// The words an administrator chooses: agent names, key ids, notes. Each check throws Problem.
#pragma once

#include "lib/keyring/record.h"

#include <string>
#include <string_view>
#include <vector>

namespace gate::ctl {

inline constexpr std::size_t k_max_agent =
    200; // bytes: with md5 or name, separator, digits and .data below 240
inline constexpr std::size_t k_max_agents = 1000; // of one key; its record stays far below k_max_record
inline constexpr std::size_t k_max_id = 64;
inline constexpr std::size_t k_max_note = 400; // note and reason, bytes

// Exact names and patterns, without repetitions, in the order given. Throws Problem (usage).
[[nodiscard]] std::vector<std::string> check_agents(const std::vector<std::string>& names);
// nullptr, or what is wrong with it. `*` makes it a pattern.
[[nodiscard]] const char* wrong_with_agent(std::string_view name);
// The same for a name that came out of a packet: whoever sent it must not get a pattern by it.
[[nodiscard]] const char* wrong_with_exact_agent(std::string_view name);
// "enforce", "observe", "off", or nothing.
void check_binding_word(std::string_view word);

// Letters, digits, `.`, `_`, `-`, beginning with a letter or digit: it stands in sshd's log and in a key
// line.
[[nodiscard]] bool is_key_id(std::string_view id);
void check_key_id(std::string_view id);
// One line of text; `what` names it in the message.
void check_text(const char* what, std::string_view text);

// "<agent, made harmless>-<first hex digits of the fingerprint>".
[[nodiscard]] std::string propose_id(std::string_view agent, const keyring::Fingerprint& fingerprint,
                                     std::size_t digits);

} // namespace gate::ctl
