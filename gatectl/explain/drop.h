// What drop would say to a command, or to a file: by lib/spool's own functions, in drop's order, with the
// policy of the key. Everything is only looked at: nothing is made, counted or remembered.
#pragma once

#include "gatectl/context.h"
#include "gatectl/explain/steps.h"
#include "lib/keyring/policy.h"
#include "lib/keyring/record.h"

#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>

namespace gate::ctl {

struct DropCase {
    const keyring::Policy& policy; // of the key
    const keyring::KeyRecord& key;
    uid_t account; // whose files a key's memory and the counters are
};

struct FileCase {
    std::string name;
    std::optional<std::uint64_t> size{}; // bytes
    std::string packet_agent{};          // empty: not looked at
};

// Each adds steps, the last of which ends the walk.
void judge_command(Walk& walk, const DropCase& drop, const std::string& command);
void judge_file(Walk& walk, const Context& context, const DropCase& drop, const FileCase& file);

} // namespace gate::ctl
