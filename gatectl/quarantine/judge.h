// May a packet that was quarantined be delivered now? By the same policy that a session goes by, less the
// rule that had failed: that one a human has overruled. (Another rule may have changed since, or was never
// asked.)
#pragma once

#include "lib/keyring/policy.h"
#include "lib/keyring/record.h"
#include "lib/spool/reason.h"

#include <cstddef>
#include <span>
#include <string_view>

namespace gate::ctl {

struct Case {
    const keyring::Policy& policy;
    const keyring::KeyRecord* key; // nullptr: the keyring does not know it any more
    std::string_view file;         // name as the client gave it
    std::span<const std::byte> content;
    spool::Reason failed; // why it was quarantined
};

// Of the rules that bind a key to agents.
[[nodiscard]] bool is_about_binding(spool::Reason reason);

// Reason::none, or what stands against it still. A case without a key can only be judged if what had failed
// was about the binding.
[[nodiscard]] spool::Reason still_wrong(const Case& packet);

} // namespace gate::ctl
