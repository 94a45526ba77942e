// The file of enrolment codes that are good now, and of the time while the account's password lets a key in.
// Written by `pandora-gate enrol`, read by pam_pandora; root's alone. It holds hashes: a code has 120 random
// bits, so that one round of SHA-256 with the file's salt is enough.
//
//   header   k_codes_header bytes: magic, version, count, salt, window, XXH3-64 of all else in the file
//   records  k_codes_record bytes each: hash, id (with zeros behind it), made at, expires at
// Numbers are little-endian.
#pragma once

#include "lib/base/result.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace gate::enrol {

inline constexpr std::size_t k_code_symbols = 24;  // of 5 bits each
inline constexpr std::size_t k_code_group = 4;     // symbols between two dashes
inline constexpr std::size_t k_max_codes = 20'000; // at once; all of them are looked at in each login by code
inline constexpr std::size_t k_max_code_id = 16;
inline constexpr std::size_t k_codes_header = 80;
inline constexpr std::size_t k_codes_record = 64;
inline constexpr const char* k_codes_directory = "enrol"; // in the directory of the keyring; 0700
inline constexpr const char* k_codes_name = "codes";      // 0600
// What was made "later than now" was made before the clock was set back. A correction by NTP may be this
// large before everything that was made until then stops to count, seconds.
inline constexpr std::int64_t k_clock_slack = 300;

using CodeHash = std::array<std::uint8_t, 32>;
using Salt = std::array<std::uint8_t, 32>;

struct Code {
    CodeHash hash{};
    std::string id;
    std::int64_t made_at = 0; // seconds since the epoch, as all times here
    std::int64_t expires_at = 0;

    bool operator==(const Code&) const = default;
};

struct Window {
    std::int64_t from = 0;
    std::int64_t until = 0; // 0: closed

    bool operator==(const Window&) const = default;
};

struct Codes {
    Salt salt{};
    Window window;
    std::vector<Code> codes;

    bool operator==(const Codes&) const = default;
};

// From k_code_symbols * 5 bits of randomness (15 bytes) to what is printed: "7K3Q-...", Crockford's base32.
[[nodiscard]] std::string format_code(const std::array<std::uint8_t, k_code_symbols * 5 / 8>& random);
// What was typed, as it is hashed: upper case, without dashes and blanks, O and I as they are meant. nullopt:
// it cannot be a code.
[[nodiscard]] std::optional<std::string> canonical_code(std::string_view typed);
[[nodiscard]] CodeHash hash_code(const Salt& salt, std::string_view canonical);

// Is it of a time that reaches from `from` to before `until`? Not if the clock stands before it began: a
// clock set back must not lengthen what was meant to end.
[[nodiscard]] bool holds_at(std::int64_t from, std::int64_t until, std::int64_t now);
[[nodiscard]] inline bool is_open(const Window& window, std::int64_t now) {
    return holds_at(window.from, window.until, now);
}

// The id of the code that was typed, if it is good now. Looks at every record whatever was typed, and
// compares without regard to where two hashes differ.
[[nodiscard]] std::optional<std::string> find_code(const Codes& codes, std::string_view typed,
                                                   std::int64_t now);

// Errors: bad_input, too_large.
[[nodiscard]] Result<std::string> encode_codes(const Codes& codes);
// Errors: damaged, version.
[[nodiscard]] Result<Codes> decode_codes(std::string_view bytes);
// `directory`: the one named k_codes_directory. Errors: missing (nobody has turned enrolment on),
// not_regular, wrong_owner, writable, damaged, version, too_large, system.
[[nodiscard]] Result<Codes> read_codes(const std::string& directory, uid_t owner);
[[nodiscard]] Result<void> write_codes(const std::string& directory, const Codes& codes, uid_t owner);

} // namespace gate::enrol
