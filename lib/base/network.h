// Addresses and networks of IPv4 and IPv6, in CIDR notation. Numbers only: nothing here asks DNS.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <sys/socket.h>

namespace gate {

inline constexpr unsigned k_bits_v4 = 32;
inline constexpr unsigned k_bits_v6 = 128;
inline constexpr unsigned k_mapped_bits = 96; // ::ffff:0:0/96 holds IPv4 inside IPv6 (RFC 4291 2.5.5.2)

struct Address {
    int family = AF_INET;
    std::array<std::uint8_t, 16> bytes{}; // of IPv4 the first four, the rest is zero

    [[nodiscard]] unsigned bits() const { return family == AF_INET ? k_bits_v4 : k_bits_v6; }
    // An IPv4 address written as an IPv6 one, ::ffff:192.0.2.1.
    [[nodiscard]] bool is_mapped() const;

    bool operator==(const Address&) const = default;
};

// "192.0.2.1", "2001:DB8::1". No zone, no brackets, no leading zeros in IPv4.
[[nodiscard]] std::optional<Address> parse_address(std::string_view text);

// The IPv4 address that a mapped one stands for.
[[nodiscard]] Address unmapped(const Address& address);

// Without the bits behind the first `length`.
[[nodiscard]] Address network_of(Address address, unsigned length);

// What stands behind the slash: 0 to `bits`, digits only, no leading zeros.
[[nodiscard]] std::optional<unsigned> parse_prefix_length(std::string_view digits, unsigned bits);

} // namespace gate
