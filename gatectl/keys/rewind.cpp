#include "gatectl/keys/rewind.h"

#include "gatectl/keys/json.h"
#include "gatectl/keys/when.h"

#include <algorithm>

namespace gate::ctl {

namespace {

[[nodiscard]] std::vector<std::string> names(const Json& value) {
    std::vector<std::string> out;
    for (const Json& name : value)
        out.push_back(from_latin1(name.get<std::string>()));
    return out;
}

[[nodiscard]] std::int64_t time_of(const Json& value) {
    const auto text = value.get<std::string>();
    return text.empty() ? 0 : parse_when("the history", text, 0);
}

[[nodiscard]] std::string text_of(const Json& value) {
    return from_latin1(value.get<std::string>());
}

[[nodiscard]] keyring::KeyState state_of(const Json& value) {
    if (value == "active")
        return keyring::KeyState::active;
    return value == "disabled" ? keyring::KeyState::disabled : keyring::KeyState::revoked;
}

void forget_who_changed_the_state(StoredKey& key) {
    key.state_at = 0;
    key.state_by.clear();
}

// One field of key.cpp's fields().
void take_back(StoredKey& key, const std::string& field, const Json& value) {
    if (field == "agents")
        key.agents = names(value);
    else if (field == "binding")
        key.binding = value == "default" ? "" : text_of(value);
    else if (field == "note")
        key.note = text_of(value);
    else if (field == "approver")
        key.approver = text_of(value);
    else if (field == "not_before")
        key.not_before = time_of(value);
    else if (field == "expires")
        key.expires_at = time_of(value);
    else if (field == "from")
        key.from = names(value);
    else if (field == "quota_files")
        key.limits.quota_files = value.get<std::uint32_t>();
    else if (field == "quota_bytes")
        key.limits.quota_bytes = value.get<std::uint64_t>();
    else if (field == "max_file_size")
        key.limits.max_file_size = value.get<std::uint64_t>();
    else if (field == "state") {
        key.state = state_of(value);
        forget_who_changed_the_state(key);
    } else if (field == "reason")
        key.state_reason = text_of(value);
    else if (field == "removed" && value == false) {
        key.removed_at = 0;
        key.removed_by.clear();
    }
}

// False: before this there was no key.
[[nodiscard]] bool take_back(StoredKey& key, const HistoryEntry& entry) {
    if (entry.before.empty()) {
        if (entry.action == "revoke") { // written by 0.1
            key.state = keyring::KeyState::active;
            key.state_reason.clear();
            forget_who_changed_the_state(key);
            return true;
        }
        return !entry.after.empty() ? false : entry.action != "add";
    }
    const Json before = Json::parse(entry.before);
    if (before.contains("removed") && before["removed"] == true) {
        key.removed_at = entry.at; // it was; since when is in the entry before, if that is not taken back too
        key.removed_by = entry.operator_name;
    }
    for (const auto& [field, value] : before.items())
        take_back(key, field, value);
    return true;
}

} // namespace

Rewind::Rewind(Store& store, std::int64_t at) {
    store.each_change_after(at, [this](std::int64_t first, std::int64_t last, const HistoryEntry& entry) {
        if (first == last && entry.action != "import")
            of_one_[first].push_back(entry);
        else
            imported_.emplace_back(first, last);
    });
}

std::optional<StoredKey> Rewind::operator()(StoredKey key) const {
    const bool imported = std::any_of(imported_.begin(), imported_.end(), [&key](const auto& range) {
        return key.number >= range.first && key.number <= range.second;
    });
    if (imported)
        return std::nullopt;
    const auto found = of_one_.find(key.number);
    if (found == of_one_.end())
        return key;
    for (auto entry = found->second.rbegin(); entry != found->second.rend(); ++entry)
        if (!take_back(key, *entry))
            return std::nullopt;
    return key;
}

} // namespace gate::ctl
