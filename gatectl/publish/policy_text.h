// A policy in the words of gate.toml: for what a publish changed.
#pragma once

#include "lib/keyring/policy.h"

#include <string>
#include <vector>

namespace gate::ctl {

struct SettingText {
    std::string name; // "spool.max_backlog"
    std::string value;
};

// Every setting of settings.h, in its order.
[[nodiscard]] std::vector<SettingText> policy_text(const keyring::Policy& policy);
// "spool.max_backlog: 50000 -> 60000" for each that differs.
[[nodiscard]] std::vector<std::string> policy_changes(const keyring::Policy& before,
                                                      const keyring::Policy& after);

} // namespace gate::ctl
