#include "gatectl/keys/succession.h"

#include "gatectl/keys/commands.h"
#include "gatectl/keys/enter.h"
#include "gatectl/keys/ftp_user.h"
#include "gatectl/keys/json.h"

#include <algorithm>
#include <fmt/format.h>

namespace gate::ctl {

StoredKey successor(const StoredKey& old, const PublicKey& parsed) {
    StoredKey key;
    take_over(key, parsed);
    key.agents = old.agents;
    key.binding = old.binding;
    key.from = old.from;
    key.limits = old.limits;
    key.note = old.note;
    key.approver = old.approver;
    return key;
}

StoredKey end_by(const Context& context, Store& store, const StoredKey& before, const StoredKey& key,
                 std::int64_t end) {
    StoredKey old = before;
    old.expires_at = before.expires_at == 0 ? end : std::min(before.expires_at, end);
    store.update(before, old,
                 note_of(context, "rotate", fmt::format("replaced by {} {}", key.id, key.fingerprint)));
    return old;
}

std::vector<StoredKey> end_others(const Context& context, Store& store, const StoredKey& key,
                                  std::int64_t now) {
    std::vector<StoredKey> others;
    store.each([&](StoredKey& other) {
        const bool shares = std::any_of(key.agents.begin(), key.agents.end(), [&](const std::string& agent) {
            return std::find(other.agents.begin(), other.agents.end(), agent) != other.agents.end();
        });
        if (shares && other.number != key.number && !is_ftp_type(other.type) &&
            std::string_view(standing_word(other, now)) == "active")
            others.push_back(std::move(other));
    });
    for (StoredKey& other : others)
        other = end_by(context, store, other, key, now + k_overlap);
    return others;
}

} // namespace gate::ctl
