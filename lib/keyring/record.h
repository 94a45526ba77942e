// One key as the login path sees it.
#pragma once

#include "lib/base/result.h"
#include "lib/keyring/policy.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gate::keyring {

// SHA-256 of the key's wire-format blob: what OpenSSH prints as SHA256:<base64>.
using Fingerprint = std::array<std::uint8_t, 32>;

// "SHA256:" and unpadded base64, as sshd's %f gives it. Errors: bad_input (an MD5 fingerprint among them).
[[nodiscard]] Result<Fingerprint> parse_fingerprint(std::string_view text);
[[nodiscard]] std::string format_fingerprint(const Fingerprint& fingerprint);
// Is `text` what format_fingerprint() would give?
[[nodiscard]] bool is_fingerprint(const Fingerprint& fingerprint, std::string_view text);

enum class KeyState : std::uint8_t {
    active = 1,
    revoked = 2,  // a tombstone: kept so that the audit can name it
    disabled = 3, // may be enabled again
};

// What a key may do at a given time: its state and its validity in one word.
enum class Standing : std::uint8_t {
    good,
    not_yet, // before not_before
    expired, // at or after expires_at
    disabled,
    revoked,
};

// Of one key, in place of the policy's of the same name; 0: the policy's.
struct Limits {
    std::uint32_t quota_files = 0;
    std::uint64_t quota_bytes = 0;
    std::uint64_t max_file_size = 0; // bytes

    bool operator==(const Limits&) const = default;
};

struct Agent {
    std::string name; // exact, or a pattern: `*` stands for any bytes, none included
    std::string md5;  // 32 lower-case hexadecimal digits of MD5(name): how newer agents name their files;
                      // zeros for a pattern

    [[nodiscard]] bool is_pattern() const { return name.find('*') != std::string::npos; }

    bool operator==(const Agent&) const = default;
};

// Caps, each over anything real: an RSA-16384 blob is 2 kB, and a broker's key may send for many agents.
inline constexpr std::size_t k_max_blob = 16 * 1024;
inline constexpr std::size_t k_max_record = 1024 * 1024;
inline constexpr std::size_t k_max_from = 64; // addresses and networks: sshd tries them one after another

struct KeyRecord {
    Fingerprint fingerprint{};
    std::string id; // short stable name of the key in the store
    KeyState state = KeyState::revoked;
    std::string type;          // "ssh-ed25519"
    std::string blob;          // wire format (RFC 4253 section 6.6), not base64
    std::vector<Agent> agents; // none: an unbound key, see Policy::binding_unbound_keys
    Binding binding = Binding::automatic;
    std::int64_t not_before = 0;   // seconds since the epoch, as all times here; 0: no beginning
    std::int64_t expires_at = 0;   // the first second at which it is not valid any more; 0: no end
    std::vector<std::string> from; // addresses and networks in CIDR notation, canonical; none: anywhere
    Limits limits;
    std::int64_t revoked_at = 0; // or disabled; 0: active
    std::string revoke_reason;   // or why it was disabled

    bool operator==(const KeyRecord&) const = default;
};

// A revocation counts before everything else, a disabling before the dates.
[[nodiscard]] Standing standing(const KeyRecord& record, std::int64_t now);
// "good", "not yet valid", "expired", "disabled", "revoked".
[[nodiscard]] const char* describe(Standing standing);
// The policy as it is for this key.
[[nodiscard]] Policy for_key(Policy policy, const Limits& limits);

// The payload of a record (without its checksum). Errors of decode: damaged, version (unknown field).
[[nodiscard]] std::string encode_record(const KeyRecord& record);
void append_record(std::string& out, const KeyRecord& record);
[[nodiscard]] Result<KeyRecord> decode_record(std::string_view bytes);

// What can be said of a payload without taking it apart; the views are into it.
struct RecordView {
    std::string_view id;
    std::string_view type;
    std::string_view blob;
    KeyState state = KeyState::revoked;
    std::size_t networks = 0; // how many `from`
};
// Refuses exactly what decode_record() refuses, and allocates nothing.
[[nodiscard]] Result<RecordView> check_record(std::string_view bytes);

} // namespace gate::keyring
