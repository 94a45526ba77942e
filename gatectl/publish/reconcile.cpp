#include "gatectl/publish/reconcile.h"

#include "gatectl/keys/names.h"
#include "gatectl/publish/compile.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <fmt/format.h>
#include <vector>

namespace gate::ctl {

namespace {

using Records = std::vector<keyring::KeyRecord>;

void collect(void* context, const keyring::KeyRecord& record) {
    static_cast<Records*>(context)->push_back(record);
}

// Takes one revocation over. What the store knows of the key stays as it is but for that.
void adopt(const Context& context, Store& store, const std::optional<StoredKey>& known,
           const keyring::KeyRecord& record) {
    const Note note{wall_clock_us() / 1'000'000, context.operator_name, "adopt",
                    "revocation found in the published keyring"};
    StoredKey key = known ? *known : to_stored(record);
    key.state = keyring::KeyState::revoked;
    key.state_at = record.revoked_at != 0 ? record.revoked_at : note.at;
    key.state_by = context.operator_name;
    key.state_reason = record.revoke_reason;
    if (known) {
        store.update(*known, key, note);
        return;
    }
    std::erase_if(key.agents, [](const std::string& name) { return wrong_with_agent(name) != nullptr; });
    const std::string stem = key.id;
    if (!is_key_id(key.id))
        key.id = propose_id(key.id, record.fingerprint, 6);
    for (std::size_t digits = 6; store.find_id(key.id) && digits <= 2 * record.fingerprint.size(); ++digits)
        key.id = propose_id(stem, record.fingerprint, digits);
    key.added_at = key.state_at;
    key.added_by = context.operator_name;
    key.approver = context.operator_name;
    store.insert(key, note);
}

} // namespace

bool reconcile(Context& context, Store& store, const Present& present) {
    if (present.state != Present::State::good || present.generation <= store.published().generation)
        return false;
    Records records;
    if (const auto verified = present.reader->verify(collect, &records); !verified) {
        context.remarks.push_back(
            fmt::format("the published keyring is ahead of the store and damaged ({}): "
                        "revocations that only it knew are lost, look through `keys list`",
                        verified.error().what));
        return false;
    }
    std::size_t adopted = 0;
    std::size_t dropped = 0;
    std::string example;
    for (const keyring::KeyRecord& record : records) {
        const auto mine = store.find_fingerprint(keyring::format_fingerprint(record.fingerprint));
        if (record.state == keyring::KeyState::revoked && (!mine || !mine->revoked())) {
            adopt(context, store, mine, record);
            ++adopted;
        } else if (record.state != keyring::KeyState::revoked && !mine) {
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
