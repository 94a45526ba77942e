// A change of the store and its publication, as one.
//
// Order: write transaction, change, keyring published (it is read back before it is put in place), commit.
//   publish fails        the transaction is rolled back: nothing was changed.
//   commit fails         the store is as before; the keyring is replaced by one that holds what was before
//                        and every revocation of the new one ("deny wins").
//   killed in between    the keyring is ahead of the store; the next command that publishes notices and takes
//                        over its revocations (reconcile.h).
// So a success means that logins already see the change, and no failure brings a revoked key back.
#pragma once

#include "gatectl/context.h"
#include "gatectl/store/store.h"

#include <functional>
#include <string>

namespace gate::ctl {

struct Published {
    bool happened = false; // false: store and keyring were as asked for already, or a dry run
    std::uint64_t generation = 0;
    std::size_t active = 0;
    std::size_t revoked = 0;
    // Active keys that the policy's rules for new keys would not take any more, and one of them.
    std::size_t outdated = 0;
    std::string outdated_example;
    enum class PolicyChange : std::uint8_t { first, changed, same } policy = PolicyChange::same;
};

enum class PolicyFrom : std::uint8_t {
    config,  // gate.toml (`publish`)
    keyring, // what is published already: a change of keys must not depend on a file that is being edited.
             // Without a readable keyring: gate.toml.
};

// Does the work inside the transaction; returns false if there is nothing to change. May throw Problem.
using Change = std::function<bool(Store&)>;

[[nodiscard]] Published change_and_publish(Context& context, PolicyFrom from, const Change& change);

// The policy that logins read; without a readable keyring, that of gate.toml. May throw Problem.
[[nodiscard]] keyring::Policy policy_in_force(const Context& context);

// "published generation 3: 2 keys active, 1 revoked".
[[nodiscard]] std::string describe(const Published& published);

} // namespace gate::ctl
