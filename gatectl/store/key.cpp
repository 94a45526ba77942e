#include "gatectl/store/key.h"

#include "lib/base/clock.h"

#include <nlohmann/json.hpp>

namespace gate::ctl {

namespace {

using Json = nlohmann::ordered_json;

[[nodiscard]] Json names(const std::vector<std::string>& list) {
    Json out = Json::array();
    for (const std::string& name : list)
        out.push_back(latin1(name));
    return out;
}

// What can change of a key.
[[nodiscard]] Json fields(const StoredKey& key) {
    return {
        {"agents", names(key.agents)},
        {"binding", key.binding.empty() ? "default" : key.binding},
        {"note", latin1(key.note)},
        {"approver", latin1(key.approver)},
        {"not_before", time_text(key.not_before)},
        {"expires", time_text(key.expires_at)},
        {"from", names(key.from)},
        {"quota_files", key.limits.quota_files},
        {"quota_bytes", key.limits.quota_bytes},
        {"max_file_size", key.limits.max_file_size},
        {"state", word_of(key.state)},
        {"reason", latin1(key.state_reason)},
        {"removed", key.removed()},
    };
}

} // namespace

Difference difference(const StoredKey* before, const StoredKey& after) {
    Json now = fields(after);
    if (before == nullptr)
        return {.before = {}, .after = now.dump(-1, ' ', true)};
    Json old = fields(*before);
    Json left = Json::object();
    Json right = Json::object();
    for (const auto& [name, value] : now.items())
        if (old[name] != value) {
            left[name] = old[name];
            right[name] = value;
        }
    return {.before = left.dump(-1, ' ', true), .after = right.dump(-1, ' ', true)};
}

std::string join(const std::vector<std::string>& parts, char separator) {
    std::string out;
    for (const std::string& part : parts) {
        if (!out.empty())
            out += separator;
        out += part;
    }
    return out;
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> out;
    for_each_part(text, separator, [&out](std::string_view part) { out.emplace_back(part); });
    return out;
}

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
    if (seconds == 0)
        return {};
    const std::string text = format_utc(seconds * 1'000'000); // "2026-11-23T04:40:36.000Z"
    return text.substr(0, text.find('.')) + 'Z';
}

const char* word_of(keyring::KeyState state) {
    switch (state) {
    case keyring::KeyState::active:
        return "active";
    case keyring::KeyState::disabled:
        return "disabled";
    case keyring::KeyState::revoked:
        break;
    }
    return "revoked";
}

} // namespace gate::ctl
