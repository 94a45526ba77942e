// Keys as JSON, as doc/json.md describes it. A byte outside 0x20-0x7E is the code point of the same number,
// as in the audit trail, so that any name can be had back byte for byte.
#pragma once

#include "gatectl/store/key.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace gate::ctl {

using Json = nlohmann::ordered_json;

// `now`: seconds; whether a key is valid depends on it.
[[nodiscard]] Json to_json(const StoredKey& key, std::int64_t now);
[[nodiscard]] Json to_json(const std::vector<HistoryEntry>& history);
// With a newline behind it.
[[nodiscard]] std::string dump(const Json& json);

// "active", "expired", "not-yet-valid", "disabled", "revoked", "removed": what a key is at a time.
[[nodiscard]] const char* standing_word(const StoredKey& key, std::int64_t now);

} // namespace gate::ctl
