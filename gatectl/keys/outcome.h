// What a command changed: told to the audit, and said to people or programs. The end of every command that
// changes keys.
#pragma once

#include "gatectl/context.h"
#include "gatectl/publish/change.h"
#include "gatectl/store/key.h"

#include <string>
#include <vector>

namespace gate::ctl {

struct Outcome {
    std::string action;            // as in the history: "add", "revoke"
    std::vector<StoredKey> keys;   // that were changed, as they are now
    std::vector<StoredKey> as_was; // that were asked for and are so already
    std::string text;              // for people, whole lines
    Published published;
};

// Returns what belongs on stdout. In a dry run nothing is told.
[[nodiscard]] std::string finish(Context& context, const Outcome& outcome);

} // namespace gate::ctl
