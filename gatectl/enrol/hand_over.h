// A key that a login hands over: may it, and what becomes of it. Everything but the socket of `enrol serve`.
// What the client sent is judged as a stranger's; what the login may do is what pam_pandora wrote down.
#pragma once

#include "gatectl/context.h"
#include "gatectl/enrol/tell.h"
#include "gatectl/keys/public_key.h"
#include "gatectl/store/store.h"
#include "lib/enrol/message.h"

#include <cstdint>
#include <string>
#include <vector>

namespace gate::ctl {

inline constexpr std::size_t k_max_pending = 1000;        // at once: the administrator has to read them
inline constexpr std::size_t k_max_pending_of_site = 5;   // that wait, sent within k_pending_window
inline constexpr std::int64_t k_pending_window = 60 * 60; // seconds
inline constexpr std::int64_t k_rotation_pause = 60 * 60; // seconds from one rotation of a key to the next
inline constexpr std::size_t k_max_successors = 3;        // good ones, made by rotation, of the same agents
// Who added a key that its agent sent in under an older one.
inline constexpr const char* k_rotated_by = "rotation by the agent";

// Tells the audit. Throws nothing that is about the request: the answer says it.
[[nodiscard]] enrol::Reply hand_over(Context& context, HandedOver login, const std::string& line);

// Inside a change: `parsed` in place of `old`, on its terms, and no longer than it.
struct Succession {
    StoredKey key, old;
};
[[nodiscard]] Succession succeed(const Context& context, Store& store, const StoredKey& old,
                                 const PublicKey& parsed, const keyring::Policy& policy, std::int64_t now);

// Is the client's address in one of the networks? Without networks: yes.
[[nodiscard]] bool comes_from(const std::string& peer, const std::vector<std::string>& networks);
// What of an address counts as one source: itself, or its /64.
[[nodiscard]] std::string site_of(const std::string& peer);

} // namespace gate::ctl
