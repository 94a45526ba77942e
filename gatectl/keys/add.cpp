#include "gatectl/keys/accept.h"
#include "gatectl/keys/commands.h"
#include "gatectl/keys/names.h"
#include "gatectl/keys/outcome.h"
#include "gatectl/keys/public_key.h"
#include "gatectl/problem.h"
#include "gatectl/publish/change.h"
#include "lib/base/text.h"

#include <algorithm>

namespace gate::ctl {

namespace {

// The key is in the store already: fine if it is exactly what was asked for.
void check_existing(const StoredKey& key, const AddRequest& request, std::vector<std::string> agents) {
    if (key.revoked())
        stop(Status::refused,
             "this key was revoked as {} on {} ({}) and cannot be added again: make a new key pair on the "
             "agent",
             key.id, time_text(key.state_at), escape_visible(key.state_reason));
    std::vector<std::string> mine = key.agents;
    std::sort(mine.begin(), mine.end());
    std::sort(agents.begin(), agents.end());
    if (mine != agents)
        stop(Status::refused,
             "this key is already there as {} for {}: give it more agents with `pandora-gate keys bind {} "
             "--agent NAME`, or make a new key pair for the other agents",
             key.id, key.agents.empty() ? "no agent" : "agent " + list_agents(key.agents), key.id);
    if (!request.binding.empty() && request.binding != key.binding)
        stop(
            Status::refused,
            "this key is already there as {} with another binding: change it with `pandora-gate keys bind {} "
            "--binding {}`",
            key.id, key.id, request.binding);
    if (!request.id.empty() && request.id != key.id)
        stop(Status::refused, "this key is already there under the id {}: an id does not change", key.id);
}

[[nodiscard]] std::string choose_id(Store& store, const StoredKey& key, const PublicKey& parsed,
                                    const std::string& wanted) {
    if (!wanted.empty()) {
        if (store.find_id(wanted))
            stop(Status::refused, "the id {} is another key's: choose one with --id", wanted);
        return wanted;
    }
    constexpr std::size_t k_most = 2 * std::tuple_size_v<keyring::Fingerprint>;
    for (std::size_t digits = 6; digits < k_most; digits += 2)
        if (std::string id =
                propose_id(key.agents.empty() ? "" : key.agents.front(), parsed.fingerprint, digits);
            is_key_id(id) && !store.find_id(id))
            return id;
    stop(Status::refused, "no id made from the agent's name is free: choose one with --id");
}

void check_policy(const keyring::Policy& policy, const StoredKey& key, const PublicKey& parsed) {
    if (const std::string wrong = wrong_with_policy(policy, parsed.type, parsed.blob); !wrong.empty())
        stop(Status::bad_data, "{}: make a new key, or change gate.toml", wrong);
    if (key.agents.empty() && policy.binding_unbound_keys == keyring::Unbound::refuse)
        stop(Status::usage,
             "say whose key this is: --agent NAME (a key without agents may send nothing here: "
             "binding.unbound_keys is \"refuse\")");
}

[[nodiscard]] std::string for_whom(const keyring::Policy& policy, const StoredKey& key) {
    if (!key.agents.empty())
        return "agent " + list_agents(key.agents);
    return policy.binding_unbound_keys == keyring::Unbound::learn
               ? "an agent that its first packets will name: see `pandora-gate keys learned`"
               : "any agent";
}

} // namespace

std::string add_key(Context& context, const AddRequest& request) {
    StoredKey key;
    key.agents = check_agents(request.agents);
    check_text("note", request.note);
    check_binding_word(request.binding);
    if (!request.id.empty())
        check_key_id(request.id);
    const PublicKey parsed = read_public_key(request.key);
    key.fingerprint = keyring::format_fingerprint(parsed.fingerprint);
    key.type = parsed.type;
    key.blob = base64_encode(as_bytes(parsed.blob));
    key.note = request.note.empty() ? parsed.comment.substr(0, k_max_note) : request.note;
    key.added_by = context.operator_name;
    key.approver = context.operator_name;
    key.binding = request.binding;
    const keyring::Policy policy = policy_in_force(context);

    Outcome outcome{.action = "add", .keys = {}, .as_was = {}, .text = {}, .published = {}};
    outcome.published = change_and_publish(context, PolicyFrom::keyring, [&](Store& store) {
        if (auto existing = store.find_fingerprint(key.fingerprint)) {
            check_existing(*existing, request, key.agents);
            outcome.text =
                fmt::format("{} {} is already there, nothing changed\n", existing->id, existing->fingerprint);
            outcome.as_was.push_back(std::move(*existing));
            return false;
        }
        check_policy(policy, key, parsed);
        key.id = choose_id(store, key, parsed, request.id);
        const Note note = note_of(context, "add", key.note);
        key.added_at = note.at;
        store.insert(key, note);
        outcome.text = fmt::format("added {} {} ({}) for {}\n", key.id, key.fingerprint, key.type,
                                   for_whom(policy, key));
        outcome.keys.push_back(key);
        return true;
    });
    if (!outcome.keys.empty())
        remark_on_patterns(context, key.agents);
    return finish(context, outcome);
}

} // namespace gate::ctl
