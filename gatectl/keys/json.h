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
// With when it was used last; 0: never.
[[nodiscard]] Json to_json(const StoredKey& key, std::int64_t now, std::int64_t last_use);
[[nodiscard]] Json to_json(const std::vector<HistoryEntry>& history);
// As in a .pub file; null for a user who sends by FTP.
[[nodiscard]] Json public_key_json(const StoredKey& key);
// The bytes that latin1() made this text of; what it cannot have made is left out.
[[nodiscard]] std::string from_latin1(std::string_view text);
// null for 0.
[[nodiscard]] Json time_json(std::int64_t seconds);
// With a newline behind it.
[[nodiscard]] std::string dump(const Json& json);

// An array as dump() writes it, item by item: a million keys as one Json would take gigabytes.
class JsonArray {
  public:
    void add(const Json& item);
    [[nodiscard]] std::string text() &&;

  private:
    std::string text_;
};

// "active", "expired", "not-yet-valid", "disabled", "revoked", "removed": what a key is at a time.
[[nodiscard]] const char* standing_word(const StoredKey& key, std::int64_t now);

} // namespace gate::ctl
