#include "lib/base/network.h"

#include "lib/base/text.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>

namespace gate {

bool Address::is_mapped() const {
    constexpr std::array<std::uint8_t, 12> k_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return family == AF_INET6 && std::equal(k_prefix.begin(), k_prefix.end(), bytes.begin());
}

std::optional<Address> parse_address(std::string_view text) {
    std::array<char, INET6_ADDRSTRLEN> terminated{};
    if (text.empty() || text.size() >= terminated.size() || text.find('\0') != text.npos)
        return std::nullopt;
    std::memcpy(terminated.data(), text.data(), text.size());
    Address address;
    address.family = text.find(':') == text.npos ? AF_INET : AF_INET6;
    if (::inet_pton(address.family, terminated.data(), address.bytes.data()) != 1)
        return std::nullopt;
    return address;
}

Address unmapped(const Address& address) {
    Address v4;
    std::copy(address.bytes.begin() + 12, address.bytes.end(), v4.bytes.begin());
    return v4;
}

Address network_of(Address address, unsigned length) {
    for (unsigned bit = length; bit < address.bits(); ++bit)
        address.bytes[bit / 8] = static_cast<std::uint8_t>(address.bytes[bit / 8] & ~(0x80U >> (bit % 8)));
    return address;
}

std::optional<unsigned> parse_prefix_length(std::string_view digits, unsigned bits) {
    const bool canonical = digits.size() <= 3 && (digits == "0" || !digits.starts_with('0'));
    const auto length = canonical ? parse_u64(digits) : std::nullopt;
    if (!length || *length > bits)
        return std::nullopt;
    return static_cast<unsigned>(*length);
}

} // namespace gate
