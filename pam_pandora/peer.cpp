#include "pam_pandora/peer.h"

#include <algorithm>

namespace gate::pam {

const char* parse_network(std::string_view text, Network& network) {
    const std::size_t slash = text.find('/');
    const auto address = parse_address(text.substr(0, slash));
    if (!address)
        return "not an address or network";
    unsigned length = address->bits();
    if (slash != text.npos) {
        const auto given = parse_prefix_length(text.substr(slash + 1), length);
        if (!given)
            return "not the length of a prefix behind the slash";
        length = *given;
    }
    if (address->is_mapped() && length >= k_mapped_bits)
        return "an IPv4 address inside IPv6: write the IPv4 address, it matches both forms";
    if (network_of(*address, length) != *address)
        return "names a host, not a network: there are bits behind the prefix";
    network = {*address, length};
    return nullptr;
}

std::optional<Address> parse_peer(std::string_view rhost) {
    const std::size_t zone = rhost.find('%');
    const auto address = parse_address(rhost.substr(0, zone));
    if (!address || (zone != rhost.npos && (address->family != AF_INET6 || zone + 1 == rhost.size())))
        return std::nullopt;
    return address->is_mapped() ? unmapped(*address) : *address;
}

bool inside(const Address& peer, const std::vector<Network>& networks) {
    return std::ranges::any_of(networks, [&](const Network& network) {
        return peer.family == network.address.family && network_of(peer, network.length) == network.address;
    });
}

} // namespace gate::pam
