#include "authkeys_cmd/line.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstdio>
#include <optional>

namespace gate::authkeys {

namespace {

// Types of plain keys that sshd knows. No certificates: those are trusted by their issuer, not by a list.
constexpr std::array<std::string_view, 7> k_types = {
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
};

constexpr std::size_t k_max_id = 64; // longer than any id that `pandora-gate keys` gives or takes

// The string that a blob begins with (RFC 4251 section 5): u32 length, big-endian, then the bytes.
[[nodiscard]] std::string_view embedded_type(std::string_view blob) {
    constexpr std::size_t k_length = 4;
    if (blob.size() < k_length)
        return {};
    std::uint32_t length = 0;
    for (std::size_t i = 0; i < k_length; ++i)
        length = (length << 8) | static_cast<unsigned char>(blob[i]);
    if (length > blob.size() - k_length)
        return {};
    return blob.substr(k_length, length);
}

// The bits behind the slash: no sign, no leading zero.
[[nodiscard]] std::optional<unsigned> prefix_length(std::string_view digits) {
    unsigned bits = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (error != std::errc() || end != digits.data() + digits.size() ||
        (digits.size() > 1 && digits.front() == '0'))
        return std::nullopt;
    return bits;
}

[[nodiscard]] bool host_bits_are_zero(const unsigned char* address, unsigned size, unsigned prefix) {
    for (unsigned bit = prefix; bit < size * 8; ++bit)
        if ((address[bit / 8] >> (7 - bit % 8) & 1) != 0)
            return false;
    return true;
}

[[nodiscard]] Result<std::string> from_option(const std::vector<std::string>& networks) {
    if (networks.size() > keyring::k_max_from)
        return fail(Errc::bad_input, "the key is for more networks than sshd shall try");
    std::string out = ",from=\"";
    for (const std::string& network : networks) {
        if (!is_network(network))
            return fail(Errc::bad_input, "one of the key's networks is not in CIDR notation");
        out += network;
        out += ',';
    }
    out.back() = '"';
    return out;
}

[[nodiscard]] Result<std::string> expiry_option(std::int64_t expires_at) {
    constexpr std::int64_t k_last = 253'402'300'799; // 9999-12-31T23:59:59Z: the year has four digits
    if (expires_at < 0 || expires_at > k_last)
        return fail(Errc::bad_input, "the key's end is a time that sshd cannot be told");
    const CivilTime t = civil_time(expires_at); // UTC
    char text[64];
    std::snprintf(text, sizeof text, ",expiry-time=\"%04d%02u%02u%02u%02u%02uZ\"", static_cast<int>(t.year),
                  t.month, t.day, t.hour, t.minute, t.second);
    return text;
}

} // namespace

bool known_type(std::string_view type) {
    return std::find(k_types.begin(), k_types.end(), type) != k_types.end();
}

bool plain_id(std::string_view id) {
    return !id.empty() && id.size() <= k_max_id && std::all_of(id.begin(), id.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '_' || c == '-';
    });
}

bool is_network(std::string_view text) {
    const std::size_t slash = std::min(text.find('/'), text.size());
    const std::string_view address = text.substr(0, slash);
    char copy[INET6_ADDRSTRLEN];
    const bool plain =
        address.size() < sizeof copy && std::all_of(address.begin(), address.end(), [](char c) {
            return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == '.' ||
                   c == ':';
        });
    if (!plain)
        return false;
    copy[address.copy(copy, sizeof copy - 1)] = '\0';
    const int family = address.find(':') == std::string_view::npos ? AF_INET : AF_INET6;
    const unsigned size = family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr);
    unsigned char bytes[sizeof(in6_addr)];
    if (::inet_pton(family, copy, bytes) != 1)
        return false;
    if (slash == text.size())
        return true;
    const auto prefix = prefix_length(text.substr(slash + 1));
    return prefix && *prefix <= size * 8 && host_bits_are_zero(bytes, size, *prefix);
}

Result<std::string> compose_line(const keyring::KeyRecord& key, Expiry expiry) {
    if (!known_type(key.type))
        return fail(Errc::bad_input, "the key is of a type that is not accepted");
    if (embedded_type(key.blob) != key.type)
        return fail(Errc::bad_input, "the key's type is not the one inside it");
    if (!plain_id(key.id))
        return fail(Errc::bad_input,
                    "the key's id holds other characters than letters, digits, '.', '_', '-'");
    std::string line = "restrict";
    if (!key.from.empty()) {
        GATE_TRY(const std::string option, from_option(key.from));
        line += option;
    }
    if (key.expires_at != 0 && expiry == Expiry::told) {
        GATE_TRY(const std::string option, expiry_option(key.expires_at));
        line += option;
    }
    line += ' ';
    line += key.type;
    line += ' ';
    line += base64_encode(as_bytes(key.blob));
    line += ' ';
    line += key.id;
    line += '\n';
    return line;
}

} // namespace gate::authkeys
