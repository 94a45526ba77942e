// `keys set`: what may change of a key that is there, all in one change.
#include "gatectl/keys/changes.h"
#include "gatectl/keys/commands.h"
#include "gatectl/keys/ftp_user.h"
#include "gatectl/keys/names.h"
#include "gatectl/keys/network.h"
#include "gatectl/keys/outcome.h"
#include "gatectl/keys/when.h"
#include "gatectl/problem.h"
#include "gatectl/publish/change.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

namespace gate::ctl {

namespace {

[[nodiscard]] bool asks_for_terms(const SetRequest& r) {
    return r.expires || r.not_before || r.from || r.agents || r.binding || r.limits.any();
}

void check_request(const SetRequest& request) {
    if (!asks_for_terms(request) && !request.note && !request.approver)
        stop(Status::usage, "say what to change: see `pandora-gate keys set --help`");
    if (request.note)
        check_text("note", *request.note);
    if (request.approver)
        check_text("approver", *request.approver);
    if (request.approver && request.approver->empty())
        stop(Status::usage, "--approver: somebody answers for each key: give a name");
    if (request.binding && request.binding != "default") {
        if (request.binding->empty())
            stop(Status::usage, "--binding is enforce, observe, off or default, not \"\"");
        check_binding_word(*request.binding);
    }
}

// Throws Problem (usage) for words that are none.
void apply(const SetRequest& request, StoredKey& key, std::int64_t now) {
    if (request.expires)
        key.expires_at = request.expires->empty() ? 0 : parse_expiry(*request.expires, now);
    if (request.not_before)
        key.not_before =
            request.not_before->empty() ? 0 : parse_when("--not-before", *request.not_before, now);
    if (request.from)
        key.from = check_networks(*request.from);
    if (request.agents)
        key.agents = check_agents(*request.agents);
    if (request.binding)
        key.binding = *request.binding == "default" ? "" : *request.binding;
    if (request.note)
        key.note = *request.note;
    if (request.approver)
        key.approver = *request.approver;
    key.limits = apply_limits(request.limits, key.limits);
}

// Does what the key becomes make sense?
void check_terms(const SetRequest& request, const keyring::Policy& policy, const StoredKey& before,
                 const StoredKey& key) {
    if (before.revoked() && asks_for_terms(request))
        stop(Status::refused, "the key {} is revoked: of its settings only note and approver can change",
             key.id);
    if (request.from && is_ftp_type(key.type))
        stop(Status::refused, "{} sends by FTP: where users may log in from is said by rhost= of pam_pandora",
             key.id);
    if (request.expires || request.not_before)
        check_validity(key.not_before, key.expires_at);
    if (request.limits.any())
        check_limits(policy, key.limits);
    if (request.agents && key.agents.empty() && policy.binding_unbound_keys == keyring::Unbound::refuse)
        stop(Status::refused,
             "the key {} could send nothing without agents (binding.unbound_keys is \"refuse\"): disable it, "
             "or give --agent NAME",
             key.id);
}

} // namespace

std::string set_key(Context& context, const SetRequest& request) {
    check_request(request);
    const std::int64_t now = wall_clock_us() / 1'000'000;
    const keyring::Policy policy = policy_in_force(context);
    Outcome outcome{.action = "set", .keys = {}, .as_was = {}, .text = {}, .published = {}};
    outcome.published = change_and_publish(context, PolicyFrom::keyring, [&](Store& store) {
        const StoredKey before = select_key(store, request.key);
        StoredKey key = before;
        apply(request, key, now);
        check_terms(request, policy, before, key);
        if (key == before) {
            outcome.text = fmt::format("{} {} is set so already, nothing changed\n", key.id, key.fingerprint);
            outcome.as_was.push_back(std::move(key));
            return false;
        }
        store.update(before, key, note_of(context, "set"));
        outcome.text = fmt::format("changed {} {}\n", key.id, key.fingerprint) +
                       change_lines(difference(&before, key), "  ");
        outcome.keys.push_back(std::move(key));
        return true;
    });
    if (!outcome.keys.empty() && request.agents)
        remark_on_patterns(context, outcome.keys.front().agents);
    return finish(context, outcome);
}

} // namespace gate::ctl
