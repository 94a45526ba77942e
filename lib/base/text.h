// Text: escaping of what strangers sent, base64, hexadecimal, numbers. Everything here is locale-free.
#pragma once

#include "lib/base/result.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace gate {

// Untrusted text for a log line or a terminal: bytes outside 0x20-0x7E, and `\`, become \xHH; at most `cap`
// bytes of the input are shown, "..." marks a cut.
[[nodiscard]] std::string escape_visible(std::string_view text, std::size_t cap = 256);

// Base64 (RFC 4648 section 4). Decoding is strict: padding required, no white space, canonical last symbol.
[[nodiscard]] std::string base64_encode(std::span<const std::uint8_t> bytes, bool padding = true);
// Without padding, to where the caller has made sure of room (four symbols for three bytes); returns the end.
char* base64_encode(std::span<const std::uint8_t> bytes, char* to);
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);
// The same into a text whose room is kept; false: it is not base64, and `out` is anything.
[[nodiscard]] bool base64_decode(std::string_view text, std::string& out);
// The same without padding, as in OpenSSH's SHA256:... fingerprints.
[[nodiscard]] std::optional<std::string> base64_decode_unpadded(std::string_view text);

// Lower-case hexadecimal.
[[nodiscard]] std::string hex_encode(std::span<const std::uint8_t> bytes);
void hex_encode(std::span<const std::uint8_t> bytes, std::string& out); // in the place of what was there

// Decimal digits only, no sign, no white space, no overflow.
[[nodiscard]] std::optional<std::uint64_t> parse_u64(std::string_view text);

// View of a string's bytes.
[[nodiscard]] inline std::span<const std::uint8_t> as_bytes(std::string_view s) {
    return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()};
}

// Constant-cost helpers for building one line without iostreams or printf.
void append_u64(std::string& out, std::uint64_t value);
void append_i64(std::string& out, std::int64_t value);

} // namespace gate
