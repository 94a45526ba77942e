#include "gatectl/keys/commands.h"
#include "gatectl/keys/names.h"
#include "gatectl/keys/outcome.h"
#include "gatectl/problem.h"
#include "gatectl/publish/change.h"
#include "lib/base/text.h"

namespace gate::ctl {

std::string revoke_key(Context& context, const std::string& name, const std::string& reason) {
    check_text("reason", reason);
    if (reason.empty())
        stop(Status::usage, "say why: --reason TEXT");
    Outcome outcome{.action = "revoke", .keys = {}, .as_was = {}, .text = {}, .published = {}};
    StoredKey key;
    outcome.published = change_and_publish(context, PolicyFrom::keyring, [&](Store& store) {
        const StoredKey before = select_key(store, name);
        key = before;
        if (key.revoked())
            return false;
        const Note note = note_of(context, "revoke", reason);
        key.state = keyring::KeyState::revoked;
        key.state_at = note.at;
        key.state_by = context.operator_name;
        key.state_reason = reason;
        store.update(before, key, note);
        outcome.keys.push_back(key);
        return true;
    });
    if (outcome.keys.empty()) {
        outcome.as_was.push_back(key);
        outcome.text = fmt::format("{} {} was revoked on {} ({}), nothing changed\n", key.id, key.fingerprint,
                                   time_text(key.state_at), escape_visible(key.state_reason));
    } else {
        outcome.text = fmt::format("revoked {} {}\n", key.id, key.fingerprint);
    }
    return finish(context, outcome);
}

} // namespace gate::ctl
