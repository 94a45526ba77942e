// `keys list` and `keys show`: for people as text, for programs as JSON.
#include "gatectl/crypto.h"
#include "gatectl/keys/commands.h"
#include "gatectl/keys/json.h"
#include "gatectl/problem.h"
#include "gatectl/publish/change.h"
#include "gatectl/store/location.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <algorithm>

namespace gate::ctl {

namespace {

[[nodiscard]] bool is_pattern(const std::string& name) {
    return name.find('*') != std::string::npos;
}

// What stands for the agents of a key that has none.
[[nodiscard]] const char* unbound_words(const keyring::Policy& policy) {
    switch (policy.binding_unbound_keys) {
    case keyring::Unbound::learn:
        return "(learning)";
    case keyring::Unbound::allow:
        return "(any)";
    case keyring::Unbound::refuse:
        break;
    }
    return "(none: it may not send)";
}

[[nodiscard]] std::string agents_cell(const StoredKey& key, const char* unbound) {
    if (key.agents.empty())
        return key.revoked() ? "-" : unbound;
    std::string out = escape_visible(key.agents.front());
    if (key.agents.size() > 1)
        out += fmt::format(" (+{})", key.agents.size() - 1);
    return out;
}

} // namespace

std::string list_keys(Context& context, bool json) {
    const auto keys = load_keys(context);
    const std::int64_t now = wall_clock_us() / 1'000'000;
    if (json) {
        Json out = Json::array();
        for (const StoredKey& key : keys)
            out.push_back(to_json(key, now));
        return dump(out);
    }
    if (keys.empty()) {
        context.remarks.emplace_back("there are no keys yet: add one with `pandora-gate keys add`");
        return {};
    }
    std::size_t width = 2;
    for (const StoredKey& key : keys)
        width = std::max(width, key.id.size());
    const keyring::Policy policy = policy_in_force(context);
    std::string out = fmt::format("{:<{}}  {:<7}  {:<7}  {:<50}  {}\n", "ID", width, "STATE", "BINDING",
                                  "FINGERPRINT", "AGENT");
    for (const StoredKey& key : keys)
        out += fmt::format("{:<{}}  {:<7}  {:<7}  {:<50}  {}\n", key.id, width, standing_word(key, now),
                           key.binding.empty() ? "default" : key.binding, key.fingerprint,
                           agents_cell(key, unbound_words(policy)));
    return out;
}

std::string show_key(Context& context, const std::string& name, bool json) {
    demand_not_lost(context.store, context.keyring);
    if (!store_exists(context.store, context.owner))
        stop(Status::refused, "there is no key \"{}\": there are no keys yet", escape_visible(name));
    Store store(context.store, context.owner, context.store_patience);
    const Store::Transaction transaction(store, Store::Transaction::Kind::read);
    const StoredKey key = select_key(store, name);
    const auto history = store.history(key);
    const std::int64_t now = wall_clock_us() / 1'000'000;
    if (json) {
        Json out = to_json(key, now);
        out["public_key"] = key.type + ' ' + key.blob;
        out["history"] = to_json(history);
        return dump(out);
    }
    std::string out = fmt::format("id           {}\nstate        {}\ntype         {}\nfingerprint  {}\n",
                                  key.id, standing_word(key, now), key.type, key.fingerprint);
    for (const std::string& agent : key.agents)
        out += is_pattern(agent)
                   ? fmt::format("agent        {}  (pattern)\n", escape_visible(agent))
                   : fmt::format("agent        {}  (md5 {})\n", escape_visible(agent), md5_hex(agent));
    if (key.agents.empty())
        out += fmt::format("agent        {}\n", agents_cell(key, unbound_words(policy_in_force(context))));
    out += fmt::format("binding      {}\n", key.binding.empty() ? "default" : key.binding);
    if (!key.note.empty())
        out += fmt::format("note         {}\n", escape_visible(key.note, 400));
    out += fmt::format("public key   {} {}\n", key.type, key.blob);
    for (const HistoryEntry& h : history)
        out += fmt::format("history      {}  {} by {}{}{}\n", time_text(h.at), h.action,
                           escape_visible(h.operator_name), h.detail.empty() ? "" : ": ",
                           escape_visible(h.detail, 400));
    return out;
}

} // namespace gate::ctl
