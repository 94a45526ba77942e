// On which terms a key is taken: its dates and limits, as an administrator types them, and whether they make
// sense together. (Networks: network.h. Dates: when.h.)
#pragma once

#include "gatectl/store/key.h"
#include "lib/keyring/policy.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace gate::ctl {

// As typed. Empty: not given; "default": the policy's.
struct LimitWords {
    std::string quota_files{};
    std::string quota_bytes{};
    std::string max_file_size{};

    [[nodiscard]] bool any() const {
        return !quota_files.empty() || !quota_bytes.empty() || !max_file_size.empty();
    }
};

// `limits` with what was given in place of what is there. Bounds are those of gate.toml. Throws Problem
// (usage).
[[nodiscard]] keyring::Limits apply_limits(const LimitWords& words, keyring::Limits limits);
// Throws Problem (refused) if the key's limits and the policy contradict each other.
void check_limits(keyring::Policy policy, const keyring::Limits& limits);

// What `--expires` says; never in the past. Throws Problem (usage).
[[nodiscard]] std::int64_t parse_expiry(std::string_view text, std::int64_t now);
// Does the validity have a length? Throws Problem (usage).
void check_validity(std::int64_t not_before, std::int64_t expires_at);
// A length of time like 90d, in seconds; "0" is one. Throws Problem (usage) that names `what`.
[[nodiscard]] std::int64_t parse_length(std::string_view what, std::string_view text);

// "never", or the date.
[[nodiscard]] std::string expiry_words(std::int64_t expires_at);

} // namespace gate::ctl
