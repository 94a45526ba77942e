// Keys as they were: today's rows, with what was done since then taken back by what the history says was
// before.
#pragma once

#include "gatectl/store/store.h"

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace gate::ctl {

class Rewind {
  public:
    // To the end of the second `at`. Keeps the changes since then, not the keys. A time to come takes nothing
    // back: what will be then depends on the dates of a key only.
    Rewind(Store& store, std::int64_t at);

    // nullopt: it was not there yet. Who changed the state last, and when, is not known of a key whose state
    // was taken back (state_at 0). The history of stores of 0.1 has no before: of such keys only revocations
    // are taken back.
    [[nodiscard]] std::optional<StoredKey> operator()(StoredKey key) const;

  private:
    std::unordered_map<std::int64_t, std::vector<HistoryEntry>> of_one_; // by number; oldest first
    std::vector<std::pair<std::int64_t, std::int64_t>> imported_;        // first and last number
};

} // namespace gate::ctl
