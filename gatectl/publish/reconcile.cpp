#include "gatectl/publish/reconcile.h"

#include "gatectl/keys/ftp_user.h"
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

} // namespace

bool adopt_revocation(const Context& context, Store& store, StoredKey theirs, const char* where) {
    const auto known = store.find_fingerprint(theirs.fingerprint);
    if (known && known->revoked())
        return false;
    const Note note{wall_clock_us() / 1'000'000, context.operator_name, "adopt",
                    std::string("revocation found in ") + where};
    StoredKey key = known ? *known : theirs;
    key.state = keyring::KeyState::revoked;
    key.state_at = theirs.state_at != 0 ? theirs.state_at : note.at;
    key.state_by = theirs.state_by.empty() ? context.operator_name : theirs.state_by;
    key.state_reason = theirs.state_reason;
    if (known) {
        store.update(*known, key, note);
        return true;
    }
    std::erase_if(key.agents, [](const std::string& name) { return wrong_with_agent(name) != nullptr; });
    const auto fingerprint = keyring::parse_fingerprint(key.fingerprint).value_or(keyring::Fingerprint{});
    const std::string stem = key.id;
    const std::string user = user_of(key);
    if (!is_key_id(key.id) && (user.empty() || user_in_name(key.id) != user))
        key.id = propose_id(key.id, fingerprint, 6);
    for (std::size_t digits = 6; store.find_id(key.id) && digits <= 2 * fingerprint.size(); ++digits)
        key.id = propose_id(stem, fingerprint, digits);
    if (key.added_at == 0) { // a keyring does not say
        key.added_at = key.state_at;
        key.added_by = context.operator_name;
        key.approver = context.operator_name;
    }
    store.insert(key, note);
    return true;
}

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
        if (record.state == keyring::KeyState::revoked) {
            if (adopt_revocation(context, store, to_stored(record), "the published keyring"))
                ++adopted;
        } else if (!store.find_fingerprint(keyring::format_fingerprint(record.fingerprint))) {
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
