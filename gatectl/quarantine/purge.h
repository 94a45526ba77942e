// Taking packets out of the quarantine for good. Nothing goes before quarantine.max_age unless an
// administrator says so.
#pragma once

#include "gatectl/quarantine/shelf.h"
#include "lib/keyring/policy.h"

#include <cstdint>
#include <string>
#include <vector>

namespace gate::ctl {

struct Purged {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;           // of the packets
    std::vector<std::string> failed{}; // one line each
};

// With an audit event for each, or one for all if there are many.
[[nodiscard]] Purged purge_entries(Context& context, const Shelf& shelf,
                                   const std::vector<ShelfEntry>& entries);

// Those older than `age` (seconds).
[[nodiscard]] std::vector<ShelfEntry> older_than(std::vector<ShelfEntry> entries, std::uint64_t age);

} // namespace gate::ctl
