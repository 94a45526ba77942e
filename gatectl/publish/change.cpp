#include "gatectl/publish/change.h"

#include "gatectl/problem.h"
#include "gatectl/publish/compare.h"
#include "gatectl/publish/compile.h"
#include "gatectl/publish/config.h"
#include "gatectl/publish/policy_text.h"
#include "gatectl/publish/prepare.h"
#include "gatectl/publish/present.h"
#include "gatectl/publish/reconcile.h"
#include "gatectl/store/location.h"
#include "lib/base/text.h"
#include "lib/keyring/writer.h"

#include <algorithm>
#include <unistd.h>

namespace gate::ctl {

namespace {

[[nodiscard]] keyring::Policy choose_policy(Context& context, PolicyFrom from, const Present& present) {
    if (from == PolicyFrom::keyring && present.policy)
        return *present.policy;
    Config config = load_config(context.config, context.owner);
    if (config.missing)
        context.remarks.push_back(
            fmt::format("{} is not there: the defaults apply", escape_visible(context.config)));
    return config.policy;
}

// After a failure: if the new keyring is visible although the store does not have its change, replaces it by
// what the store has and all revocations of the new one. Returns what to tell.
[[nodiscard]] std::string withdraw(const Context& context, Store& store, std::uint64_t generation,
                                   const keyring::Policy& policy) {
    const Present ahead = look_at(context.keyring, context.owner);
    if (ahead.generation != generation)
        return {};
    try {
        Build build = begin_build(context.keyring, generation + 1, policy);
        const Store::Transaction transaction(store, Store::Transaction::Kind::read);
        add_all(context, store, build, revocations_of(ahead));
        finish_build(build);
        put_in_place(context, build);
        return "; the published keyring has what was before and every revocation";
    } catch (const Problem&) {
        return "; THE PUBLISHED KEYRING HAS THE CHANGE ALREADY: run `pandora-gate publish` when the cause is "
               "gone";
    }
}

// Is the keyring in place the one that the store published last, so that what has changed since is known?
[[nodiscard]] bool in_step(const Present& present, const Store::Publication& last) {
    return present.state == Present::State::good && present.generation == last.generation &&
           mark_of(*present.reader) == last.mark;
}

// One change, from its transaction to what is said of it.
class Attempt {
  public:
    Attempt(Context& context, Store& store, PolicyFrom from)
        : context_(context), store_(store), from_(from) {}

    void run(const Change& change) {
        Store::Transaction transaction(store_, Store::Transaction::Kind::write);
        present_ = look_at(context_.keyring, context_.owner); // others publish under the same lock
        if (present_.state == Present::State::unusable)
            context_.remarks.push_back(fmt::format("the keyring {} could not be used ({}) and is replaced",
                                                   escape_visible(context_.keyring),
                                                   describe(present_.error)));
        bool changed = reconcile(context_, store_, present_);
        last_ = store_.published();
        changed = change(store_) || changed;
        // "Nothing to do" is only true while logins see exactly this state of the store.
        if (!changed && in_step(present_, last_)) {
            policy_ = present_.policy;
            return;
        }
        generation_ = std::max(last_.generation, present_.generation) + 1;
        policy_ = choose_policy(context_, from_, present_);
        if (context_.dry_run && from_ == PolicyFrom::keyring) {
            static_cast<void>(touched_keys(store_)); // what would be published must be sound
            return;
        }
        Build next = build();
        if (context_.dry_run)
            return; // the file goes with the object, the change with the transaction
        put_in_place(context_, next);
        store_.set_published({generation_, mark_of(context_.keyring, context_.owner)});
        transaction.commit();
    }

    [[nodiscard]] const std::optional<keyring::Policy>& policy() const { return policy_; }
    [[nodiscard]] std::uint64_t generation() const { return generation_; }

    [[nodiscard]] Published summary() const {
        Published out;
        out.happened = !context_.dry_run && generation_ != 0;
        out.generation = generation_;
        if (generation_ == 0)
            return out;
        out.tally = tally_;
        out.keys = keys_;
        using PolicyChange = Published::PolicyChange;
        if (!present_.policy) {
            out.policy = PolicyChange::first;
        } else if (*present_.policy != *policy_) {
            out.policy = PolicyChange::changed;
            out.settings = policy_changes(*present_.policy, *policy_);
        }
        return out;
    }

  private:
    // The next keyring, beside the one in place.
    [[nodiscard]] Build build() {
        std::optional<Build> next = only_what_changed();
        if (!next) {
            next.emplace(begin_build(context_.keyring, generation_, *policy_));
            add_all(context_, store_, *next, {});
        }
        finish_build(*next);
        if (!keys_ && present_.state == Present::State::good)
            keys_ = compare(*present_.reader, next->path + ".new", context_.owner);
        tally_ = next->tally;
        return std::move(*next);
    }

    // Where that is known and less work.
    [[nodiscard]] std::optional<Build> only_what_changed() {
        constexpr std::size_t k_worth = 4; // to read a key of the store costs about as much as to copy four
        if (!in_step(present_, last_) || store_.touched_many())
            return std::nullopt;
        const Changes changes = touched_keys(store_);
        if (from_ == PolicyFrom::config && changes.empty())
            keys_ = Published::Keys{}; // every change published itself
        if (from_ == PolicyFrom::config ||
            changes.size() * k_worth > present_.reader->header().key_count + k_worth)
            return std::nullopt;
        Published::Keys keys;
        for (const auto& [fingerprint, record] : changes) {
            const auto before = present_.reader->find(fingerprint);
            if (!before)
                return std::nullopt;
            keys.added += !*before && record ? 1U : 0U;
            keys.removed += *before && !record ? 1U : 0U;
            keys.changed += *before && record ? 1U : 0U;
        }
        Build build = begin_build(context_.keyring, generation_, *policy_);
        if (!add_changed(*present_.reader, changes, build))
            return std::nullopt;
        keys_ = keys;
        return build;
    }

    Context& context_;
    Store& store_;
    PolicyFrom from_;
    Present present_{};
    Store::Publication last_{};
    std::uint64_t generation_ = 0;
    std::optional<keyring::Policy> policy_{};
    Tally tally_{};
    std::optional<Published::Keys> keys_{};
};

} // namespace

Published change_and_publish(Context& context, PolicyFrom from, const Change& change) {
    demand_not_lost(context.store, context.keyring);
    Store store(context.store, context.owner, context.store_patience);
    Attempt one(context, store, from);
    Published out;
    try {
        one.run(change);
        out = one.summary();
    } catch (const Problem& problem) {
        if (one.generation() == 0)
            throw;
        throw Problem(problem.status(),
                      problem.what() + withdraw(context, store, one.generation(), *one.policy()));
    }
    if (one.policy() && context.prepares && context.owner == 0 && !context.dry_run)
        prepare(context, *one.policy());
    return out;
}

Published publish_elsewhere(Context& context, const std::string& in_place) {
    demand_not_lost(context.store, in_place);
    Store store(context.store, context.owner, context.store_patience);
    Store::Transaction transaction(store, Store::Transaction::Kind::write);
    const Present present = look_at(in_place, context.owner);
    Published out;
    out.happened = true;
    // A number of its own, also among those published here: two files of one generation are the same file.
    out.generation = std::max(store.published().generation, present.generation) + 1;
    store.set_published({out.generation, {}});
    Build build =
        begin_build(context.keyring, out.generation, choose_policy(context, PolicyFrom::config, present));
    add_all(context, store, build, {});
    finish_build(build);
    out.tally = build.tally;
    if (context.dry_run)
        return out; // the file goes with the object, the number with the transaction
    const auto written = keyring::put_in_place(build.path + ".new", build.path, context.owner);
    if (!written)
        stop(Status::cant_create, "{} could not be written: {}", escape_visible(build.path),
             describe(written.error()));
    build.builder.keep();
    ::unlink((build.path + ".previous").c_str()); // of the file, which is nobody's keyring
    transaction.commit();
    return out;
}

keyring::Policy policy_in_force(const Context& context) {
    Present present = look_at(context.keyring, context.owner);
    return present.policy ? std::move(*present.policy) : load_config(context.config, context.owner).policy;
}

std::string describe(const Published& p) {
    std::string out = fmt::format("published generation {}: {} {} active, {} revoked", p.generation,
                                  p.tally.active, p.tally.active == 1 ? "key" : "keys", p.tally.revoked);
    if (p.tally.disabled != 0)
        out += fmt::format(", {} disabled", p.tally.disabled);
    return out;
}

} // namespace gate::ctl
