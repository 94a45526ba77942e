// What the store knows of enrolment: codes that were made, keys that wait for an administrator, and whether
// the account's password lets a key in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gate::ctl {

// A one-time code. The code itself is nowhere: `hash` is of it and of the salt of Enrolment.
struct StoredCode {
    enum class State : std::uint8_t { open, used, cancelled };
    std::string id;   // "c-..."
    std::string hash; // hexadecimal
    std::vector<std::string> agents;
    std::vector<std::string> from; // canonical networks; none: anywhere
    std::int64_t made_at = 0;      // seconds since the epoch, as all times here
    std::string made_by;
    std::int64_t expires_at = 0;     // of the code
    std::int64_t key_expires_at = 0; // of the key that comes with it; 0: never
    std::string note;
    bool replaces = false; // the agents' other keys end then
    State state = State::open;
    std::int64_t state_at = 0;
    std::string state_by;
    std::string used_key; // fingerprint

    bool operator==(const StoredCode&) const = default;
};

// A key that somebody sent who may not decide that it is good.
struct PendingKey {
    std::string id; // "p-..."
    std::string fingerprint;
    std::string type;
    std::string blob; // base64
    std::string comment;
    std::string peer; // the client's address
    std::string site; // what of it counts as one source
    std::int64_t asked_at = 0;
    std::string in_place_of; // fingerprint of the key that asked to be rotated; empty: sent with the password

    bool operator==(const PendingKey&) const = default;
};

struct Enrolment {
    std::string salt; // hexadecimal; empty: nothing was ever enrolled
    std::int64_t window_from = 0;
    std::int64_t window_until = 0; // 0: the account's password lets no key in
    std::string window_by;
    bool password_set = false; // by `enrol on`: `enrol off` locks it again

    bool operator==(const Enrolment&) const = default;
};

[[nodiscard]] const char* word_of(StoredCode::State state);

} // namespace gate::ctl
