// `keys import`: many keys in one change, all or nothing. Sound for a million of them: nothing is kept of a
// key but its fingerprint, and reading the next ones goes on while those before are written.
#pragma once

#include "gatectl/context.h"
#include "gatectl/keys/sources.h"

#include <string>

namespace gate::ctl {

struct ImportRequest {
    Sources sources;
    std::string binding; // empty: observe, unless the policy has a default of its own
    bool skip_bad = false;
};

[[nodiscard]] std::string import_keys(Context& context, const ImportRequest& request);

} // namespace gate::ctl
