#include "gatectl/publish/reconcile.h"

#include "gatectl/keys/names.h"
#include "gatectl/publish/compile.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <fmt/format.h>
#include <unordered_map>
#include <vector>

namespace gate::ctl {

namespace {

using Records = std::vector<keyring::KeyRecord>;

void collect(void* context, const keyring::KeyRecord& record) {
    static_cast<Records*>(context)->push_back(record);
}

void adopt(const Context& context, Store& store, const StoredKey* known, const keyring::KeyRecord& record) {
    const std::int64_t now = wall_clock_us() / 1'000'000;
    StoredKey key = to_stored(record);
    if (key.revoked_at == 0)
        key.revoked_at = now;
    std::erase_if(key.agents, [](const std::string& name) { return wrong_with_agent(name) != nullptr; });
    if (!is_key_id(key.id))
        key.id = propose_id(key.id, record.fingerprint, 6);
    if (known != nullptr) {
        key.id = known->id;
        store.revoke(key.id, key.revoked_at, context.operator_name, key.revoke_reason);
    } else {
        const std::string stem = key.id;
        for (std::size_t digits = 6; store.find_id(key.id) && digits <= 2 * record.fingerprint.size();
             ++digits)
            key.id = propose_id(stem, record.fingerprint, digits);
        key.added_at = key.revoked_at;
        key.added_by = context.operator_name;
        key.revoked_by = context.operator_name;
        store.insert(key);
    }
    store.remember(
        {now, context.operator_name, "adopt", key.id, "revocation found in the published keyring"});
}

} // namespace

bool reconcile(Context& context, Store& store, const Present& present) {
    if (present.state != Present::State::good || present.generation <= store.generation())
        return false;
    Records records;
    if (const auto verified = present.reader->verify(collect, &records); !verified) {
        context.remarks.push_back(
            fmt::format("the published keyring is ahead of the store and damaged ({}): "
                        "revocations that only it knew are lost, look through `keys list`",
                        verified.error().what));
        return false;
    }
    std::unordered_map<std::string, StoredKey> known;
    for (StoredKey& key : store.keys())
        known.emplace(key.fingerprint, std::move(key));
    std::size_t adopted = 0;
    std::size_t dropped = 0;
    std::string example;
    for (const keyring::KeyRecord& record : records) {
        const auto it = known.find(keyring::format_fingerprint(record.fingerprint));
        const StoredKey* mine = it == known.end() ? nullptr : &it->second;
        if (record.state == keyring::KeyState::revoked && (mine == nullptr || !mine->revoked())) {
            adopt(context, store, mine, record);
            ++adopted;
        } else if (record.state == keyring::KeyState::active && mine == nullptr) {
            example = record.id;
            ++dropped;
        }
    }
    if (adopted != 0)
        context.remarks.push_back(fmt::format(
            "the published keyring was ahead of the store: {} revocation(s) taken over into the store",
            adopted));
    if (dropped != 0)
        context.remarks.push_back(fmt::format(
            "the published keyring was ahead of the store: {} key(s) that the store does not know "
            "are no longer accepted, for instance {}; add them again if they are wanted",
            dropped, escape_visible(example)));
    return adopted != 0;
}

} // namespace gate::ctl
