// `keys show` and `keys history`: all that is known of one key.
#include "gatectl/crypto.h"
#include "gatectl/keys/changes.h"
#include "gatectl/keys/commands.h"
#include "gatectl/keys/ftp_user.h"
#include "gatectl/keys/json.h"
#include "gatectl/keys/last_use.h"
#include "gatectl/keys/words.h"
#include "gatectl/problem.h"
#include "gatectl/publish/change.h"
#include "gatectl/store/location.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

namespace gate::ctl {

namespace {

constexpr std::size_t k_shown = 400; // of a note or reason, in bytes: all of it

struct Known {
    StoredKey key;
    std::vector<HistoryEntry> history;
};

[[nodiscard]] Known look_up(const Context& context, const std::string& name) {
    if (!has_store(context))
        stop(Status::refused, "there is no key \"{}\": there are no keys yet", escape_visible(name));
    Store store(context.store, context.owner, context.store_patience);
    const Store::Transaction transaction(store, Store::Transaction::Kind::read);
    StoredKey key = select_also_removed(store, name);
    auto history = store.history(key);
    return {std::move(key), std::move(history)};
}

[[nodiscard]] bool is_pattern(const std::string& name) {
    return name.find('*') != std::string::npos;
}

void append(std::string& out, std::string_view name, std::string_view value) {
    out += fmt::format("{:<12} {}\n", name, value);
}

void append_state(std::string& out, const StoredKey& key, std::int64_t now) {
    std::string state = standing_word(key, now);
    if (key.removed())
        state += fmt::format(" on {} by {}{}", time_text(key.removed_at), escape_visible(key.removed_by),
                             key.revoked() ? "; revoked before" : "");
    else if (key.state_at != 0 && key.state != keyring::KeyState::active)
        state += fmt::format(" on {} by {}: {}", time_text(key.state_at), escape_visible(key.state_by),
                             escape_visible(key.state_reason, k_shown));
    append(out, "state", state);
}

void append_agents(std::string& out, const StoredKey& key, const char* unbound) {
    for (const std::string& agent : key.agents)
        append(out, "agent",
               is_pattern(agent) ? escape_visible(agent) + "  (pattern)"
                                 : fmt::format("{}  (md5 {})", escape_visible(agent), md5_hex(agent)));
    if (key.agents.empty())
        append(out, "agent", agents_cell(key, unbound));
    append(out, "binding", key.binding.empty() ? "default" : key.binding);
}

void append_terms(std::string& out, const StoredKey& key) {
    if (key.not_before != 0)
        append(out, "not before", time_text(key.not_before));
    append(out, "expires", key.expires_at == 0 ? "never" : time_text(key.expires_at));
    append(out, "from", key.from.empty() ? "anywhere" : join(key.from, ' '));
    if (key.limits.quota_files != 0)
        append(out, "quota files", std::to_string(key.limits.quota_files));
    if (key.limits.quota_bytes != 0)
        append(out, "quota bytes", std::to_string(key.limits.quota_bytes));
    if (key.limits.max_file_size != 0)
        append(out, "max file", std::to_string(key.limits.max_file_size));
}

[[nodiscard]] std::string history_line(const HistoryEntry& h) {
    return fmt::format("{}  {} by {}{}{}\n", time_text(h.at), h.action, escape_visible(h.operator_name),
                       h.detail.empty() ? "" : ": ", escape_visible(h.detail, k_shown));
}

} // namespace

std::string show_key(Context& context, const std::string& name, bool json) {
    const auto [key, history] = look_up(context, name);
    const std::int64_t now = wall_clock_us() / 1'000'000;
    const std::int64_t used = LastUses(memory_directory(context), LastUses::Asked::one).of(key.fingerprint);
    if (json) {
        Json out = to_json(key, now, used);
        out["public_key"] = public_key_json(key);
        out["history"] = to_json(history);
        return dump(out);
    }
    std::string out;
    append(out, "id", key.id);
    append_state(out, key, now);
    append(out, "type", key.type);
    append(out, "fingerprint", key.fingerprint);
    append_agents(out, key, unbound_words(policy_in_force(context)));
    append_terms(out, key);
    append(out, "last use", used == 0 ? "never" : time_text(used));
    append(out, "approver", escape_visible(key.approver, k_shown));
    if (!key.note.empty())
        append(out, "note", escape_visible(key.note, k_shown));
    if (is_ftp_type(key.type))
        append(out, "ftp user", user_of(key));
    else
        append(out, "public key", key.type + ' ' + key.blob);
    for (const HistoryEntry& h : history)
        out += "history      " + history_line(h);
    return out;
}

std::string history_of_key(Context& context, const std::string& name) {
    const auto [key, history] = look_up(context, name);
    if (context.json)
        return dump({{"id", key.id}, {"fingerprint", key.fingerprint}, {"history", to_json(history)}});
    std::string out;
    for (const HistoryEntry& h : history)
        out += history_line(h) + change_lines({h.before, h.after}, "    ");
    return out;
}

} // namespace gate::ctl
