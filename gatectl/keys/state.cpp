// `keys disable`, `keys enable`, `keys remove`. What is revoked stays so: none of them gives it back.
#include "gatectl/keys/commands.h"
#include "gatectl/keys/ftp_user.h"
#include "gatectl/keys/json.h"
#include "gatectl/keys/names.h"
#include "gatectl/keys/outcome.h"
#include "gatectl/problem.h"
#include "gatectl/publish/change.h"
#include "lib/base/text.h"

namespace gate::ctl {

namespace {

void demand_reason(const std::string& reason) {
    check_text("reason", reason);
    if (reason.empty())
        stop(Status::usage, "say why: --reason TEXT");
}

void set_state(StoredKey& key, keyring::KeyState state, const Note& note) {
    key.state = state;
    key.state_at = note.at;
    key.state_by = note.operator_name;
    key.state_reason = note.detail;
}

// `work` changes the key, or says what it is already.
using Work = std::function<std::optional<std::string>(StoredKey& key, const Note& note)>;

[[nodiscard]] Outcome change_one(Context& context, const char* action, const std::string& reason,
                                 const std::function<StoredKey(Store&)>& select, const char* done,
                                 const Work& work) {
    Outcome outcome{.action = action, .keys = {}, .as_was = {}, .text = {}, .published = {}};
    outcome.published = change_and_publish(context, PolicyFrom::keyring, [&](Store& store) {
        const StoredKey before = select(store);
        StoredKey key = before;
        const Note note = note_of(context, action, reason);
        if (const auto already = work(key, note)) {
            outcome.text = fmt::format("{} {} {}, nothing changed\n", key.id, key.fingerprint, *already);
            outcome.as_was.push_back(std::move(key));
            return false;
        }
        store.update(before, key, note);
        outcome.text = fmt::format("{} {} {}\n", done, key.id, key.fingerprint);
        outcome.keys.push_back(std::move(key));
        return true;
    });
    return outcome;
}

} // namespace

std::string disable_key(Context& context, const std::string& name, const std::string& reason) {
    demand_reason(reason);
    const auto select = [&name](Store& store) { return select_key(store, name); };
    const auto work = [](StoredKey& key, const Note& note) -> std::optional<std::string> {
        if (key.revoked())
            stop(Status::refused, "the key {} was revoked on {} ({}): it is refused for good already", key.id,
                 time_text(key.state_at), escape_visible(key.state_reason));
        if (key.state == keyring::KeyState::disabled)
            return fmt::format("was disabled on {} ({})", time_text(key.state_at),
                               escape_visible(key.state_reason));
        set_state(key, keyring::KeyState::disabled, note);
        return std::nullopt;
    };
    return finish(context, change_one(context, "disable", reason, select, "disabled", work));
}

std::string enable_key(Context& context, const std::string& name, const std::string& reason) {
    check_text("reason", reason);
    const auto select = [&name](Store& store) { return select_key(store, name); };
    const auto work = [](StoredKey& key, const Note& note) -> std::optional<std::string> {
        if (key.revoked())
            stop(Status::refused,
                 "the key {} was revoked on {} ({}) and stays so: make a new key pair on the agent", key.id,
                 time_text(key.state_at), escape_visible(key.state_reason));
        if (key.state == keyring::KeyState::active)
            return "is enabled already";
        set_state(key, keyring::KeyState::active, note);
        return std::nullopt;
    };
    const Outcome outcome = change_one(context, "enable", reason, select, "enabled", work);
    for (const StoredKey& key : outcome.keys)
        if (const std::string state = standing_word(key, key.state_at); state != "active")
            context.remarks.push_back(
                fmt::format("the key {} is {} all the same: see `pandora-gate keys set {} --help`", key.id,
                            state == "expired" ? "expired" : "not valid yet", key.id));
    return finish(context, outcome);
}

std::string remove_key(Context& context, const std::string& name, const std::string& reason, bool force) {
    demand_reason(reason);
    const auto select = [&name](Store& store) { return select_also_removed(store, name); };
    bool for_good = false;
    std::string user; // who sends by FTP; empty: it is a key
    const auto work = [&](StoredKey& key, const Note& note) -> std::optional<std::string> {
        if (key.removed())
            return "was removed on " + time_text(key.removed_at);
        const std::string state = standing_word(key, note.at);
        if (!force && (state == "active" || state == "not-yet-valid"))
            stop(Status::refused,
                 "the key {} is {} and may be in use: revoke or disable it first, or say --force", key.id,
                 state == "active" ? "active" : "going to be valid");
        for_good = key.revoked();
        user = user_of(key);
        // A key that is not in the keyring is a stranger's; a user who is not in it sends, bound to nobody.
        if (for_good && is_ftp_type(key.type))
            stop(Status::refused, "the user {} is revoked: without this row he could send again, so it stays",
                 key.id);
        key.removed_at = note.at;
        key.removed_by = note.operator_name;
        return std::nullopt;
    };
    Outcome outcome = change_one(context, "remove", reason, select, "removed", work);
    if (for_good && !outcome.keys.empty())
        outcome.text += "it was revoked: it can never be added again\n";
    if (!user.empty() && !outcome.keys.empty())
        context.remarks.push_back(
            fmt::format("the user {} is not shut out by this: he now sends as one who is bound to no agent "
                        "(binding.unbound_keys); take him out of account.group, or add and revoke him",
                        escape_visible(user)));
    return finish(context, outcome);
}

} // namespace gate::ctl
