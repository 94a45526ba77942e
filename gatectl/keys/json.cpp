#include "gatectl/keys/json.h"

#include "gatectl/crypto.h"
#include "gatectl/keys/ftp_user.h"

namespace gate::ctl {

namespace {

// null for "the policy's".
[[nodiscard]] Json limit_json(std::uint64_t limit) {
    return limit == 0 ? Json() : Json(limit);
}

[[nodiscard]] Json agents_json(const std::vector<std::string>& agents) {
    Json out = Json::array();
    for (const std::string& name : agents) {
        Json agent = {{"name", latin1(name)}};
        if (name.find('*') != std::string::npos)
            agent["pattern"] = true;
        else
            agent["md5"] = md5_hex(name);
        out.push_back(std::move(agent));
    }
    return out;
}

// What stands in the history: JSON, or nothing.
[[nodiscard]] Json parsed(const std::string& text) {
    Json out = Json::parse(text, nullptr, false);
    return out.is_discarded() ? Json() : out;
}

} // namespace

const char* standing_word(const StoredKey& key, std::int64_t now) {
    if (key.removed())
        return "removed";
    if (key.state != keyring::KeyState::active)
        return word_of(key.state);
    if (key.expires_at != 0 && now >= key.expires_at)
        return "expired";
    return now < key.not_before ? "not-yet-valid" : "active";
}

Json to_json(const StoredKey& key, std::int64_t now) {
    Json out = {
        {"id", key.id},
        {"state", standing_word(key, now)},
        {"type", key.type},
        {"fingerprint", key.fingerprint},
        {"agents", agents_json(key.agents)},
        {"binding", key.binding.empty() ? "default" : key.binding},
        {"note", latin1(key.note)},
        {"approver", latin1(key.approver)},
        {"not_before", time_json(key.not_before)},
        {"expires", time_json(key.expires_at)},
        {"from", key.from},
        {"quota_files", limit_json(key.limits.quota_files)},
        {"quota_bytes", limit_json(key.limits.quota_bytes)},
        {"max_file_size", limit_json(key.limits.max_file_size)},
        {"added_at", time_text(key.added_at)},
        {"added_by", latin1(key.added_by)},
        {"state_at", time_json(key.state_at)},
        {"state_by", latin1(key.state_by)},
        {"state_reason", latin1(key.state_reason)},
    };
    if (const std::string user = user_of(key); !user.empty())
        out["ftp_user"] = user;
    if (key.removed()) {
        out["removed_at"] = time_text(key.removed_at);
        out["removed_by"] = latin1(key.removed_by);
    }
    return out;
}

Json to_json(const StoredKey& key, std::int64_t now, std::int64_t last_use) {
    Json out = to_json(key, now);
    out["last_use"] = time_json(last_use);
    return out;
}

Json public_key_json(const StoredKey& key) {
    return is_ftp_type(key.type) ? Json() : Json(key.type + ' ' + key.blob);
}

Json to_json(const std::vector<HistoryEntry>& history) {
    Json out = Json::array();
    for (const HistoryEntry& h : history)
        out.push_back({{"at", time_text(h.at)},
                       {"operator", latin1(h.operator_name)},
                       {"action", h.action},
                       {"detail", latin1(h.detail)},
                       {"before", parsed(h.before)},
                       {"after", parsed(h.after)}});
    return out;
}

std::string from_latin1(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto u = static_cast<unsigned char>(text[i]);
        if (u < 0x80) {
            out += text[i];
        } else if ((u == 0xc2 || u == 0xc3) && i + 1 < text.size()) {
            const auto low = static_cast<unsigned char>(text[++i]);
            out += static_cast<char>(((u & 3U) << 6) | (low & 0x3fU));
        }
    }
    return out;
}

Json time_json(std::int64_t seconds) {
    return seconds == 0 ? Json() : Json(time_text(seconds));
}

void JsonArray::add(const Json& item) {
    text_ += text_.empty() ? "[\n  " : ",\n  ";
    for (const char c : item.dump(2, ' ', true)) { // a line break inside a text is \n there
        text_ += c;
        if (c == '\n')
            text_ += "  ";
    }
}

std::string JsonArray::text() && {
    if (text_.empty())
        return "[]\n";
    text_ += "\n]\n";
    return std::move(text_);
}

std::string dump(const Json& json) {
    return json.dump(2, ' ', true) + '\n';
}

} // namespace gate::ctl
