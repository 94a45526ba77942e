// `keys list` and `keys show`: for people as text, for programs as JSON. In JSON a byte outside 0x20-0x7E is
// the code point of the same number, as in the audit trail, so that any name can be had back byte for byte.
#include "gatectl/crypto.h"
#include "gatectl/keys/commands.h"
#include "gatectl/problem.h"
#include "gatectl/publish/change.h"
#include "gatectl/store/location.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace gate::ctl {

namespace {

using Json = nlohmann::ordered_json;

[[nodiscard]] const char* state_of(const StoredKey& key) {
    return key.revoked() ? "revoked" : "active";
}

[[nodiscard]] bool is_pattern(const std::string& name) {
    return name.find('*') != std::string::npos;
}

[[nodiscard]] Json to_json(const StoredKey& key) {
    Json agents = Json::array();
    for (const std::string& name : key.agents) {
        Json agent = {{"name", latin1(name)}};
        if (is_pattern(name))
            agent["pattern"] = true;
        else
            agent["md5"] = md5_hex(name);
        agents.push_back(std::move(agent));
    }
    Json out = {
        {"id", key.id},
        {"state", state_of(key)},
        {"type", key.type},
        {"fingerprint", key.fingerprint},
        {"agents", std::move(agents)},
        {"binding", key.binding.empty() ? "default" : key.binding},
        {"note", latin1(key.note)},
        {"added_at", time_text(key.added_at)},
        {"added_by", latin1(key.added_by)},
    };
    if (key.revoked()) {
        out["revoked_at"] = time_text(key.revoked_at);
        out["revoked_by"] = latin1(key.revoked_by);
        out["revoke_reason"] = latin1(key.revoke_reason);
    }
    return out;
}

[[nodiscard]] std::string dump(const Json& json) {
    return json.dump(2, ' ', true) + '\n';
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

std::string latin1(std::string_view bytes) {
    std::string out;
    for (const char c : bytes) {
        const auto u = static_cast<unsigned char>(c);
        if (u < 0x80) {
            out += c;
        } else {
            out += static_cast<char>(0xc0 | (u >> 6));
            out += static_cast<char>(0x80 | (u & 0x3f));
        }
    }
    return out;
}

std::string time_text(std::int64_t seconds) {
    const std::string text = format_utc(seconds * 1'000'000); // "2026-11-23T04:40:36.000Z"
    return text.substr(0, text.find('.')) + 'Z';
}

std::string list_keys(Context& context, bool json) {
    const auto keys = load_keys(context);
    if (json) {
        Json out = Json::array();
        for (const StoredKey& key : keys)
            out.push_back(to_json(key));
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
        out += fmt::format("{:<{}}  {:<7}  {:<7}  {:<50}  {}\n", key.id, width, state_of(key),
                           key.binding.empty() ? "default" : key.binding, key.fingerprint,
                           agents_cell(key, unbound_words(policy)));
    return out;
}

std::string show_key(Context& context, const std::string& name, bool json) {
    demand_not_lost(context.store, context.keyring);
    if (!store_exists(context.store, context.owner))
        static_cast<void>(select_key({}, name)); // throws: there is none
    Store store(context.store, context.owner, context.store_patience);
    const Store::Transaction transaction(store, Store::Transaction::Kind::read);
    const auto keys = store.keys();
    const StoredKey& key = select_key(keys, name);
    const auto history = store.history(key.id);
    if (json) {
        Json out = to_json(key);
        out["public_key"] = key.type + ' ' + key.blob;
        out["history"] = Json::array();
        for (const HistoryEntry& h : history)
            out["history"].push_back({{"at", time_text(h.at)},
                                      {"operator", latin1(h.operator_name)},
                                      {"action", h.action},
                                      {"detail", latin1(h.detail)}});
        return dump(out);
    }
    std::string out = fmt::format("id           {}\nstate        {}\ntype         {}\nfingerprint  {}\n",
                                  key.id, state_of(key), key.type, key.fingerprint);
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
