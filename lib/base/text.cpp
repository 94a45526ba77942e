#include "lib/base/text.h"

#include <array>
#include <charconv>

namespace gate {

namespace {
constexpr char k_hex[] = "0123456789abcdef";
constexpr char k_b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> make_b64_values() {
    std::array<std::int8_t, 256> table{};
    table.fill(-1);
    for (int i = 0; i < 64; ++i)
        table[static_cast<unsigned char>(k_b64[i])] = static_cast<std::int8_t>(i);
    return table;
}
constexpr auto k_b64_values = make_b64_values();
} // namespace

std::string escape_visible(std::string_view text, std::size_t cap) {
    const bool cut = text.size() > cap;
    if (cut)
        text = text.substr(0, cap);
    std::string out;
    out.reserve(text.size() + 4);
    for (const char c : text) {
        const auto u = static_cast<unsigned char>(c);
        if (u >= 0x20 && u <= 0x7e && c != '\\') {
            out += c;
        } else {
            out += "\\x";
            out += k_hex[u >> 4];
            out += k_hex[u & 15];
        }
    }
    if (cut)
        out += "...";
    return out;
}

char* base64_encode(std::span<const std::uint8_t> bytes, char* to) {
    std::size_t i = 0;
    for (; bytes.size() - i >= 3; i += 3) {
        const unsigned v = (unsigned{bytes[i]} << 16) | (unsigned{bytes[i + 1]} << 8) | bytes[i + 2];
        *to++ = k_b64[v >> 18];
        *to++ = k_b64[(v >> 12) & 63];
        *to++ = k_b64[(v >> 6) & 63];
        *to++ = k_b64[v & 63];
    }
    const std::size_t rest = bytes.size() - i;
    if (rest != 0) {
        const unsigned v = (unsigned{bytes[i]} << 16) | (rest == 2 ? unsigned{bytes[i + 1]} << 8 : 0);
        *to++ = k_b64[v >> 18];
        *to++ = k_b64[(v >> 12) & 63];
        if (rest == 2)
            *to++ = k_b64[(v >> 6) & 63];
    }
    return to;
}

std::string base64_encode(std::span<const std::uint8_t> bytes, bool padding) {
    std::string out((bytes.size() + 2) / 3 * 4, '='); // what is left at its end is the padding
    const char* const end = base64_encode(bytes, out.data());
    if (!padding)
        out.resize(static_cast<std::size_t>(end - out.data()));
    return out;
}

namespace {

[[nodiscard]] bool decode_unpadded(std::string_view text, std::string& out) {
    const std::size_t rest = text.size() % 4;
    if (rest == 1)
        return false;
    out.resize(text.size() / 4 * 3 + (rest == 0 ? 0 : rest - 1));
    char* to = out.data();
    const auto value = [](char c) { return int{k_b64_values[static_cast<unsigned char>(c)]}; };
    const auto put = [&to](int byte) { *to++ = static_cast<char>(static_cast<unsigned char>(byte)); };
    int wrong = 0; // negative as soon as one symbol was
    std::size_t i = 0;
    for (; text.size() - i >= 4; i += 4) {
        const int a = value(text[i]);
        const int b = value(text[i + 1]);
        const int c = value(text[i + 2]);
        const int d = value(text[i + 3]);
        wrong |= a | b | c | d;
        put(a << 2 | b >> 4);
        put(b << 4 | c >> 2);
        put(c << 6 | d);
    }
    if (rest != 0) {
        const int a = value(text[i]);
        const int b = value(text[i + 1]);
        const int c = rest == 3 ? value(text[i + 2]) : 0;
        wrong |= a | b | c;
        put(a << 2 | b >> 4);
        if (rest == 3)
            put(b << 4 | c >> 2);
        // Bits that encode nothing must be zero: one spelling per value.
        if ((rest == 3 ? c & 3 : b & 15) != 0)
            return false;
    }
    return wrong >= 0;
}

} // namespace

std::optional<std::string> base64_decode_unpadded(std::string_view text) {
    std::string out;
    return decode_unpadded(text, out) ? std::optional(std::move(out)) : std::nullopt;
}

bool base64_decode(std::string_view text, std::string& out) {
    if (text.size() % 4 != 0)
        return false;
    for (int i = 0; i < 2 && text.ends_with('='); ++i)
        text.remove_suffix(1);
    return decode_unpadded(text, out);
}

std::optional<std::string> base64_decode(std::string_view text) {
    std::string out;
    return base64_decode(text, out) ? std::optional(std::move(out)) : std::nullopt;
}

void hex_encode(std::span<const std::uint8_t> bytes, std::string& out) {
    out.resize(bytes.size() * 2);
    char* to = out.data();
    for (const std::uint8_t b : bytes) {
        *to++ = k_hex[b >> 4];
        *to++ = k_hex[b & 15];
    }
}

std::string hex_encode(std::span<const std::uint8_t> bytes) {
    std::string out;
    hex_encode(bytes, out);
    return out;
}

std::optional<std::uint64_t> parse_u64(std::string_view text) {
    if (text.empty() || text.front() < '0' || text.front() > '9')
        return std::nullopt;
    std::uint64_t value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

void append_u64(std::string& out, std::uint64_t value) {
    std::array<char, 20> buffer{};
    const auto [end, ec] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
    out.append(buffer.data(), end);
}

void append_i64(std::string& out, std::int64_t value) {
    std::array<char, 21> buffer{};
    const auto [end, ec] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
    out.append(buffer.data(), end);
}

} // namespace gate
