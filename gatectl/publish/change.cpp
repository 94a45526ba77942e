#include "gatectl/publish/change.h"

#include "gatectl/keys/accept.h"
#include "gatectl/problem.h"
#include "gatectl/publish/compile.h"
#include "gatectl/publish/config.h"
#include "gatectl/publish/prepare.h"
#include "gatectl/publish/present.h"
#include "gatectl/publish/reconcile.h"
#include "gatectl/store/location.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/keyring/writer.h"

#include <algorithm>
#include <map>

namespace gate::ctl {

namespace {

using Records = std::vector<keyring::KeyRecord>;

[[nodiscard]] keyring::Policy choose_policy(Context& context, PolicyFrom from, const Present& present) {
    if (from == PolicyFrom::keyring && present.policy)
        return *present.policy;
    Config config = load_config(context.config, context.owner);
    if (config.missing)
        context.remarks.push_back(
            fmt::format("{} is not there: the defaults apply", escape_visible(context.config)));
    return config.policy;
}

void look_for_outdated(const keyring::Contents& contents, Published& out) {
    for (const keyring::KeyRecord& key : contents.keys) {
        if (key.state != keyring::KeyState::active ||
            wrong_with_policy(contents.policy, key.type, key.blob).empty())
            continue;
        out.outdated_example = key.id;
        ++out.outdated;
    }
}

void put_in_place(const Context& context, keyring::Contents contents) {
    const auto done = keyring::publish(context.keyring, std::move(contents), context.owner);
    if (done)
        return;
    const Error& e = done.error();
    const Status status = e.code == Errc::system      ? status_of_errno(e.sys_errno)
                          : e.code == Errc::no_space  ? Status::io
                          : e.code == Errc::too_large ? Status::bad_data
                                                      : Status::cant_create;
    stop(status, "nothing was changed, the keyring {} could not be published: {}",
         escape_visible(context.keyring), describe(e));
}

// After a failure: if the new keyring is visible although the store does not have its change, replaces it by
// the old keys and all revocations of the new ones. Returns what to tell.
[[nodiscard]] std::string withdraw(const Context& context, const Records& before,
                                   keyring::Contents contents) {
    if (look_at(context.keyring, context.owner).generation != contents.generation)
        return {};
    std::map<keyring::Fingerprint, keyring::KeyRecord> safe;
    for (const keyring::KeyRecord& record : before)
        safe[record.fingerprint] = record;
    for (const keyring::KeyRecord& record : contents.keys)
        if (record.state == keyring::KeyState::revoked)
            safe[record.fingerprint] = record;
    contents.keys.clear();
    for (auto& [fingerprint, record] : safe)
        contents.keys.push_back(std::move(record));
    ++contents.generation;
    if (keyring::publish(context.keyring, std::move(contents), context.owner))
        return "; the published keyring has what was before and every revocation";
    return "; THE PUBLISHED KEYRING HAS THE CHANGE ALREADY: run `pandora-gate publish` when the cause is "
           "gone";
}

[[nodiscard]] Published summary(const keyring::Contents& contents, const Present& present) {
    Published out;
    out.happened = true;
    out.generation = contents.generation;
    out.active = static_cast<std::size_t>(
        std::count_if(contents.keys.begin(), contents.keys.end(),
                      [](const auto& key) { return key.state == keyring::KeyState::active; }));
    out.revoked = contents.keys.size() - out.active;
    look_for_outdated(contents, out);
    using PolicyChange = Published::PolicyChange;
    out.policy = !present.policy                      ? PolicyChange::first
                 : *present.policy == contents.policy ? PolicyChange::same
                                                      : PolicyChange::changed;
    return out;
}

} // namespace

namespace {

// The policy that is in place afterwards goes to `policy`.
[[nodiscard]] Published change_in_store(Context& context, PolicyFrom from, const Change& change,
                                        std::optional<keyring::Policy>& policy) {
    demand_not_lost(context.store, context.keyring);
    Store store(context.store, context.owner, context.store_patience);
    Store::Transaction transaction(store, Store::Transaction::Kind::write);
    const Present present = look_at(context.keyring, context.owner);
    if (present.state == Present::State::unusable)
        context.remarks.push_back(fmt::format("the keyring {} could not be used ({}) and is replaced",
                                              escape_visible(context.keyring), describe(present.error)));
    bool changed = reconcile(context, store, present);
    const Records before = compile(store.keys());
    const std::uint64_t stored = store.generation();
    changed = change(store) || changed;
    // "Nothing to do" is only true while logins see exactly this state of the store.
    if (!changed && present.state == Present::State::good && present.generation == stored) {
        policy = present.policy;
        return {};
    }

    keyring::Contents contents;
    contents.generation = std::max(stored, present.generation) + 1;
    contents.created = wall_clock_us() / 1'000'000;
    contents.policy = choose_policy(context, from, present);
    contents.keys = compile(store.keys());
    try {
        store.set_generation(contents.generation);
        put_in_place(context, contents);
        transaction.commit();
    } catch (const Problem& problem) {
        throw Problem(problem.status(), problem.what() + withdraw(context, before, contents));
    }
    policy = contents.policy;
    return summary(contents, present);
}

} // namespace

Published change_and_publish(Context& context, PolicyFrom from, const Change& change) {
    std::optional<keyring::Policy> policy;
    const Published published = change_in_store(context, from, change, policy);
    if (policy && context.prepares && context.owner == 0)
        prepare(context, *policy);
    return published;
}

keyring::Policy policy_in_force(const Context& context) {
    Present present = look_at(context.keyring, context.owner);
    return present.policy ? std::move(*present.policy) : load_config(context.config, context.owner).policy;
}

std::string describe(const Published& p) {
    return fmt::format("published generation {}: {} key{} active, {} revoked", p.generation, p.active,
                       p.active == 1 ? "" : "s", p.revoked);
}

} // namespace gate::ctl
