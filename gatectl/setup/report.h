// What setup says of itself: for people and for programs.
#pragma once

#include "gatectl/setup/lives.h"
#include "gatectl/setup/step.h"

#include <string>
#include <vector>

namespace gate::ctl::setup {

struct Report {
    const char* action = "apply"; // "remove"
    bool dry_run = true;
    std::string form{}; // "own", "drop-in", "" where ssh is not spoken of
    std::vector<Step> steps{};
    std::vector<Life> lives{};
    std::vector<std::string> accepted{}; // of --yes-break
    std::vector<std::string> left{};     // what --remove does not touch, with the reason
    std::vector<std::string> remarks{};
    std::vector<Command> services{}; // done, or, where systemd does not run, to be done
    bool systemd = false;
    std::string user{};     // a new FTP user
    std::string password{}; // his, told once
};

[[nodiscard]] std::string for_people(const Report& report, const Accounts& accounts);
[[nodiscard]] std::string for_programs(const Report& report, const Accounts& accounts);
[[nodiscard]] bool is_accepted(const Report& report, const Life& life);

} // namespace gate::ctl::setup
