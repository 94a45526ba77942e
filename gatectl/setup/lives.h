// What else lives as the account: what runs in its name, or is started in its name by somebody who does not
// know that its shell takes packets and nothing else.
#pragma once

#include "gatectl/setup/machine.h"
#include "gatectl/setup/request.h"

#include <string>
#include <vector>

namespace gate::ctl::setup {

struct Life {
    std::string name;   // "cron:/etc/cron.d/pandora"
    std::string what;   // for people: the line, or what runs
    std::string effect; // what becomes of it
    bool breaks = false;
};

[[nodiscard]] std::vector<Life> find_lives(const Place& place, const Machine& machine,
                                           const Request& request);
// `but`: not counting what has that name.
[[nodiscard]] bool runs_anything(const Place& place, uid_t uid, const std::string& but = {});

} // namespace gate::ctl::setup
