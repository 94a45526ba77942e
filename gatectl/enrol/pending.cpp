// `keys pending`, `approve`, `reject`: keys that came in with the account's password, or for a rotation that
// an administrator wants to see.
#include "gatectl/enrol/commands.h"
#include "gatectl/enrol/hand_over.h"
#include "gatectl/enrol/tell.h"
#include "gatectl/keys/commands.h"
#include "gatectl/keys/enter.h"
#include "gatectl/keys/json.h"
#include "gatectl/keys/names.h"
#include "gatectl/keys/outcome.h"
#include "gatectl/keys/succession.h"
#include "gatectl/problem.h"
#include "gatectl/publish/change.h"
#include "gatectl/store/location.h"
#include "gatectl/table.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

namespace gate::ctl {

namespace {

constexpr int k_some = 3; // exit status of `keys pending`, as of `quarantine list`

[[nodiscard]] std::string line_of(const PendingKey& key) {
    return key.type + ' ' + key.blob + ' ' + key.comment;
}

[[nodiscard]] Json to_json(const PendingKey& key) {
    return {
        {"id", key.id},
        {"fingerprint", key.fingerprint},
        {"type", key.type},
        {"comment", latin1(key.comment)},
        {"peer", latin1(key.peer)},
        {"asked_at", time_text(key.asked_at)},
        {"in_place_of", key.in_place_of.empty() ? Json() : Json(key.in_place_of)},
    };
}

// Which one is meant: by its id or fingerprint, a beginning of either, or because it is the only one.
[[nodiscard]] PendingKey select_pending(Store& store, const std::string& name) {
    std::vector<PendingKey> found;
    for (PendingKey& key : store.pending())
        if (name.empty() || key.id.starts_with(name) || key.fingerprint.starts_with(name))
            found.push_back(std::move(key));
    if (found.empty() && name.empty())
        stop(Status::refused, "no key waits");
    if (found.empty())
        stop(Status::refused, "no key \"{}\" waits: see `pandora-gate keys pending`", escape_visible(name));
    if (found.size() > 1)
        stop(Status::refused, "{} keys wait, for instance {} and {}: say which one", found.size(),
             found[0].id, found[1].id);
    return std::move(found.front());
}

struct Approval {
    StoredKey key;
    std::vector<StoredKey> old;
};

[[nodiscard]] Approval approve_new(const Context& context, Store& store, const PendingKey& pending,
                                   const ApproveRequest& request, const keyring::Policy& policy,
                                   std::int64_t now) {
    if (request.agents.empty())
        stop(Status::usage, "say whose key this is: --agent NAME");
    const PublicKey parsed = read_public_key(line_of(pending));
    const auto there = store.find_fingerprint(pending.fingerprint);
    if (there && !there->removed())
        stop(Status::refused, "the key is in the store already as {}: `pandora-gate keys reject {}`",
             there->id, pending.id);
    Approval out;
    take_over(out.key, parsed);
    out.key.agents = check_agents(request.agents);
    out.key.note = parsed.comment.substr(0, k_max_note);
    out.key.approver = context.operator_name;
    check_policy(policy, out.key, parsed);
    enter(store, out.key, parsed, {}, there,
          note_of(context, "add", fmt::format("approved {}, from {}", pending.id, pending.peer)));
    if (request.replace)
        out.old = end_others(context, store, out.key, now);
    return out;
}

[[nodiscard]] Approval approve_rotation(const Context& context, Store& store, const PendingKey& pending,
                                        const ApproveRequest& request, const keyring::Policy& policy,
                                        std::int64_t now) {
    if (!request.agents.empty() || request.replace)
        stop(Status::usage, "{} is to take the place of a key: it gets its agents, and the old one ends",
             pending.id);
    const auto old = store.find_fingerprint(pending.in_place_of);
    if (!old || std::string_view(standing_word(*old, now)) != "active")
        stop(Status::refused,
             "the key whose place {0} is to take is not active any more: `pandora-gate keys "
             "reject {0}`",
             pending.id);
    Succession done = succeed(context, store, *old, read_public_key(line_of(pending)), policy, now);
    return {std::move(done.key), {std::move(done.old)}};
}

[[nodiscard]] std::string words_of(const Approval& approval) {
    std::string out =
        fmt::format("added {} {} ({}) for agent {}\n", approval.key.id, approval.key.fingerprint,
                    approval.key.type, list_agents(approval.key.agents));
    for (const StoredKey& old : approval.old)
        out += fmt::format("{} {} expires on {}\n", old.id, old.fingerprint, time_text(old.expires_at));
    return out;
}

} // namespace

std::string list_pending(Context& context) {
    std::vector<PendingKey> waiting;
    if (has_store(context)) {
        Store store(context.store, context.owner, context.store_patience);
        const Store::Transaction transaction(store, Store::Transaction::Kind::read);
        waiting = store.pending();
    }
    context.exit_status = waiting.empty() ? 0 : k_some;
    if (context.json) {
        JsonArray out;
        for (const PendingKey& key : waiting)
            out.add(to_json(key));
        return std::move(out).text();
    }
    if (waiting.empty()) {
        context.remarks.emplace_back("no key waits");
        return {};
    }
    Table table({"ID", "SINCE", "FROM", "FINGERPRINT", "COMMENT"});
    for (const PendingKey& key : waiting)
        table.add({key.id, time_text(key.asked_at), escape_visible(key.peer), key.fingerprint,
                   key.in_place_of.empty() ? escape_visible(key.comment) : "in place of " + key.in_place_of});
    return table.text(static_cast<std::size_t>(context.columns));
}

std::string approve_key(Context& context, const ApproveRequest& request) {
    const std::int64_t now = wall_clock_us() / 1'000'000;
    const keyring::Policy policy = policy_in_force(context);
    Outcome outcome{.action = "approve", .keys = {}, .as_was = {}, .text = {}, .published = {}};
    PendingKey pending;
    outcome.published = change_and_publish(context, PolicyFrom::keyring, [&](Store& store) {
        pending = select_pending(store, request.id);
        Approval approval = pending.in_place_of.empty()
                                ? approve_new(context, store, pending, request, policy, now)
                                : approve_rotation(context, store, pending, request, policy, now);
        store.remove_pending(pending.fingerprint);
        outcome.text = words_of(approval);
        outcome.keys = std::move(approval.old);
        outcome.keys.insert(outcome.keys.begin(), std::move(approval.key));
        return true;
    });
    tell_decided(context, pending, &outcome.keys.front(), outcome.published.generation);
    remark_on_patterns(context, outcome.keys.front().agents);
    return finish(context, outcome);
}

std::string reject_key(Context& context, const std::string& id) {
    demand_not_lost(context.store, context.keyring);
    Store store(context.store, context.owner, context.store_patience);
    Store::Transaction transaction(store, Store::Transaction::Kind::write);
    const PendingKey pending = select_pending(store, id);
    store.remove_pending(pending.fingerprint);
    if (!context.dry_run)
        transaction.commit();
    tell_decided(context, pending, nullptr, 0);
    if (context.json)
        return dump({{"dry_run", context.dry_run}, {"rejected", to_json(pending)}});
    return fmt::format("{}rejected {} {}\n",
                       context.dry_run ? "dry run: nothing was changed; without --dry-run it would say\n"
                                       : "",
                       pending.id, pending.fingerprint);
}

} // namespace gate::ctl
