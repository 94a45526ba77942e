// A change of the store and its publication, as one.
//
// Order: write transaction, change, keyring published (it is read back before it is put in place), commit.
//   publish fails        the transaction is rolled back: nothing was changed.
//   commit fails         the store is as before; the keyring is replaced by one that holds what the store has
//                        and every revocation of the new one ("deny wins").
//   killed in between    the keyring is ahead of the store; the next command that publishes notices and takes
//                        over its revocations (reconcile.h).
//
// While the keyring in place is the one that the store published last, what has changed since is written into
// a copy of it; every record is checked on the way. Otherwise, and by `publish`, it is built from the store.
//
// So a success means that logins already see the change, and no failure brings a revoked key back.
#pragma once

#include "gatectl/context.h"
#include "gatectl/publish/build.h"
#include "gatectl/store/store.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace gate::ctl {

struct Published {
    bool happened = false; // false: store and keyring were as asked for already, or a dry run
    std::uint64_t generation = 0;
    Tally tally{};
    // Against what logins read before; unknown where that could not be read.
    struct Keys {
        std::size_t added = 0, changed = 0, removed = 0;
    };
    std::optional<Keys> keys{};
    enum class PolicyChange : std::uint8_t { first, changed, same } policy = PolicyChange::same;
    std::vector<std::string> settings{}; // "spool.max_backlog: 50000 -> 60000", if changed
};

enum class PolicyFrom : std::uint8_t {
    config,  // gate.toml (`publish`)
    keyring, // what is published already: a change of keys must not depend on a file that is being edited.
             // Without a readable keyring: gate.toml.
};

// Does the work inside the transaction; returns false if there is nothing to change. May throw Problem.
using Change = std::function<bool(Store&)>;

[[nodiscard]] Published change_and_publish(Context& context, PolicyFrom from, const Change& change);

// The whole store and gate.toml into context.keyring, which is not the one that logins read (`in_place`).
// Throws Problem.
[[nodiscard]] Published publish_elsewhere(Context& context, const std::string& in_place);

// The policy that logins read; without a readable keyring, that of gate.toml. May throw Problem.
[[nodiscard]] keyring::Policy policy_in_force(const Context& context);

// "published generation 3: 2 keys active, 1 revoked".
[[nodiscard]] std::string describe(const Published& published);

} // namespace gate::ctl
