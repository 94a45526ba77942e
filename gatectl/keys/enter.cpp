#include "gatectl/keys/enter.h"

#include "gatectl/keys/accept.h"
#include "gatectl/keys/ftp_user.h"
#include "gatectl/keys/names.h"
#include "gatectl/problem.h"
#include "lib/base/text.h"
#include "lib/keyring/ftp_sender.h"

namespace gate::ctl {

namespace {

[[nodiscard]] std::string choose_id(Store& store, const StoredKey& key, const PublicKey& parsed,
                                    const std::string& wanted) {
    if (!wanted.empty()) {
        if (store.find_id(wanted))
            stop(Status::refused, "the id {} is another key's: choose one with --id", wanted);
        return wanted;
    }
    if (const std::string user = user_of(key); !user.empty())
        return std::string(keyring::k_ftp_prefix) + user; // no key's: is_row_id
    constexpr std::size_t k_most = 2 * std::tuple_size_v<keyring::Fingerprint>;
    for (std::size_t digits = 6; digits < k_most; digits += 2)
        if (std::string id =
                propose_id(key.agents.empty() ? "" : key.agents.front(), parsed.fingerprint, digits);
            is_key_id(id) && !store.find_id(id))
            return id;
    stop(Status::refused, "no id made from the agent's name is free: choose one with --id");
}

} // namespace

void take_over(StoredKey& key, const PublicKey& parsed) {
    key.fingerprint = keyring::format_fingerprint(parsed.fingerprint);
    key.type = parsed.type;
    key.blob = base64_encode(as_bytes(parsed.blob));
}

void check_policy(const keyring::Policy& policy, const StoredKey& key, const PublicKey& parsed) {
    if (const std::string wrong = wrong_with_policy(policy, parsed.type, parsed.blob); !wrong.empty())
        stop(Status::bad_data, "{}: make a new key, or change gate.toml", wrong);
    if (key.agents.empty() && policy.binding_unbound_keys == keyring::Unbound::refuse)
        stop(Status::usage,
             "say whose key this is: --agent NAME (a key without agents may send nothing here: "
             "binding.unbound_keys is \"refuse\")");
}

void refuse_revoked(const StoredKey& existing) {
    if (!existing.revoked())
        return;
    if (const std::string user = user_of(existing); !user.empty())
        stop(Status::refused,
             "the user {} was revoked as {} on {} ({}) and cannot be added again: let the agent send as "
             "another user",
             user, existing.id, time_text(existing.state_at), escape_visible(existing.state_reason));
    stop(Status::refused,
         "this key was revoked as {} on {} ({}) and cannot be added again: make a new key pair on the "
         "agent",
         existing.id, time_text(existing.state_at), escape_visible(existing.state_reason));
}

void enter(Store& store, StoredKey& key, const PublicKey& parsed, const std::string& wanted,
           const std::optional<StoredKey>& there, const Note& note) {
    key.added_at = note.at;
    key.added_by = note.operator_name;
    if (!there) {
        key.id = choose_id(store, key, parsed, wanted);
        store.insert(key, note);
        return;
    }
    refuse_revoked(*there);
    if (!wanted.empty() && wanted != there->id)
        stop(Status::refused, "this key was there under the id {}: an id does not change", there->id);
    key.number = there->number;
    key.id = there->id;
    store.update(*there, key, note);
}

} // namespace gate::ctl
