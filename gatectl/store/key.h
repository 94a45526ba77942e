// One key as the store keeps it, and what is written down of a change.
#pragma once

#include "lib/keyring/record.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace gate::ctl {

struct StoredKey {
    std::int64_t number = 0; // of its row; given by the store, never used again for another key
    std::string id;
    std::string fingerprint; // "SHA256:..."
    std::string type;
    std::string blob; // base64, as in a .pub file
    std::string note;
    std::vector<std::string> agents; // as they were given; none: an unbound key
    std::string binding;             // "enforce", "observe", "off"; empty: the policy's
    std::int64_t not_before = 0;     // seconds since the epoch, as all times here; 0: no beginning
    std::int64_t expires_at = 0;     // 0: no end
    std::vector<std::string> from;   // addresses and networks, canonical; none: anywhere
    keyring::Limits limits;
    std::string approver; // who answers for it
    std::int64_t added_at = 0;
    std::string added_by;
    keyring::KeyState state = keyring::KeyState::active;
    std::int64_t state_at = 0; // of the last disabling, enabling or revocation; 0: never changed
    std::string state_by;
    std::string state_reason;
    // A key that was removed is not published and not listed. Its row stays for its history, and so that a
    // revoked key cannot come back as a new one.
    std::int64_t removed_at = 0;
    std::string removed_by;

    [[nodiscard]] bool revoked() const { return state == keyring::KeyState::revoked; }
    [[nodiscard]] bool removed() const { return removed_at != 0; }
    bool operator==(const StoredKey&) const = default;
};

// Who does what, when, and why: a line of the history.
struct Note {
    std::int64_t at = 0;
    std::string operator_name;
    std::string
        action; // "add", "import", "set", "bind", "disable", "enable", "revoke", "rotate", "remove", "adopt"
    std::string detail;

    bool operator==(const Note&) const = default;
};

struct HistoryEntry : Note {
    std::string before; // JSON: the fields that the change touched, as they were; empty: there was no key
    std::string after;  // the same fields afterwards; empty for an import, whose keys are as they came

    bool operator==(const HistoryEntry&) const = default;
};

// What a change touched, as two JSON objects with the same fields (the second of an addition has all).
struct Difference {
    std::string before, after;
};
[[nodiscard]] Difference difference(const StoredKey* before, const StoredKey& after);

// In columns of text: names cannot contain '/', networks no ','.
[[nodiscard]] std::string join(const std::vector<std::string>& parts, char separator);
[[nodiscard]] std::vector<std::string> split(std::string_view text, char separator);
// Each part that split() would give.
template<class F>
void for_each_part(std::string_view text, char separator, F&& visit) {
    while (!text.empty()) {
        const std::string_view part = text.substr(0, text.find(separator));
        visit(part);
        text.remove_prefix(std::min(text.size(), part.size() + 1));
    }
}

// A name in JSON: a byte is the code point of the same number, as in the audit trail.
[[nodiscard]] std::string latin1(std::string_view bytes);
// "2026-11-23T04:40:36Z"; empty for 0.
[[nodiscard]] std::string time_text(std::int64_t seconds);
// "active", "disabled", "revoked".
[[nodiscard]] const char* word_of(keyring::KeyState state);

} // namespace gate::ctl
