// The settings of gate.toml: one table, a row for each. What has none is an unknown setting.
#pragma once

#include "gatectl/publish/toml.h"
#include "lib/keyring/policy.h"

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gate::ctl {

struct Setting {
    std::string_view section;
    std::string_view key;
    // Empty: the value was taken. Otherwise what it has to be.
    std::string (*apply)(const toml::node& value, keyring::Policy& policy);
};

[[nodiscard]] std::span<const Setting> settings();

// Settings that contradict each other: the sentence is about the first; the line that is shown is that of the
// first that the administrator wrote.
struct Contradiction {
    std::array<std::string_view, 3> settings; // "spool.staging"
    std::string_view sentence;
};

// Rules between settings. Empty if all is well.
[[nodiscard]] std::vector<Contradiction> contradictions(const keyring::Policy& policy);

} // namespace gate::ctl
