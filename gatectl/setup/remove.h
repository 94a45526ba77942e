// Taking setup back: from the machine as it is to what the manifest says was there before.
#pragma once

#include "gatectl/setup/manifest.h"
#include "gatectl/setup/request.h"

#include <set>
#include <string>
#include <vector>

namespace gate::ctl::setup {

struct Removal {
    std::vector<Step> steps{};
    std::vector<std::string> left{}; // what somebody has changed since, with the reason
    std::vector<std::string> remarks{};
    std::vector<std::pair<Step::Kind, std::string>> settled{}; // entries that are over with
};

[[nodiscard]] Removal plan_removal(const Place& place, const Manifest& manifest, const Request& request);
// One entry alone; `gone`: paths that are removed before it. nullopt if nothing is to be done, or it was
// changed since (then with a reason in `left`).
[[nodiscard]] std::optional<Step> restoring(const Place& place, const Accounts& accounts, const Entry& entry,
                                            bool force, std::vector<std::string>& left,
                                            const std::set<std::string>& gone = {});

} // namespace gate::ctl::setup
