// One key in place of another: what the new one takes over, and when the old one ends. For `keys rotate`, for
// agents that rotate their own keys, and for enrolment that replaces.
#pragma once

#include "gatectl/context.h"
#include "gatectl/keys/public_key.h"
#include "gatectl/store/store.h"

#include <cstdint>
#include <vector>

namespace gate::ctl {

// How long the old key stays good where nobody says otherwise: an agent that was off over a weekend must not
// find itself locked out.
inline constexpr std::int64_t k_overlap = std::int64_t{7} * 24 * 60 * 60; // seconds

// The new key with agents, binding, networks, limits, note and approver of the old one.
[[nodiscard]] StoredKey successor(const StoredKey& old, const PublicKey& parsed);

// Ends `before` at `end`, or when it ends anyway; the history says for which key. Returns it as it is then.
StoredKey end_by(const Context& context, Store& store, const StoredKey& before, const StoredKey& key,
                 std::int64_t end);

// Every other active key that has one of the new one's agents by its very name, ended so. Users who send by
// FTP have no key to end.
[[nodiscard]] std::vector<StoredKey> end_others(const Context& context, Store& store, const StoredKey& key,
                                                std::int64_t now);

} // namespace gate::ctl
