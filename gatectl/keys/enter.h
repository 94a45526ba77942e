// A key that comes into the store: what `keys add` and `keys rotate` have in common.
#pragma once

#include "gatectl/keys/public_key.h"
#include "gatectl/store/store.h"
#include "lib/keyring/policy.h"

#include <optional>
#include <string>

namespace gate::ctl {

// Type, blob and fingerprint of the key.
void take_over(StoredKey& key, const PublicKey& parsed);

// What the policy says of it; `key` has its agents. Throws Problem.
void check_policy(const keyring::Policy& policy, const StoredKey& key, const PublicKey& parsed);

// Throws Problem (refused) for a key that was revoked, removed or not.
void refuse_revoked(const StoredKey& existing);

// Puts it in, with an id of its own (`wanted`, if not empty), or, if it was there and has been removed, as
// the same key again, with the id that it had: its history goes on. `there` must not be revoked. Throws
// Problem (refused).
void enter(Store& store, StoredKey& key, const PublicKey& parsed, const std::string& wanted,
           const std::optional<StoredKey>& there, const Note& note);

} // namespace gate::ctl
