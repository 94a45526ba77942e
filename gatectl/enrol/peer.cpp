// Addresses of clients, as PAM_RHOST has them.
#include "gatectl/enrol/hand_over.h"
#include "lib/base/network.h"

#include <algorithm>
#include <arpa/inet.h>

namespace gate::ctl {

namespace {

[[nodiscard]] std::optional<Address> address_of(std::string_view peer) {
    const auto address = parse_address(peer.substr(0, peer.find('%')));
    if (!address)
        return std::nullopt;
    return address->is_mapped() ? unmapped(*address) : *address;
}

[[nodiscard]] bool is_in(const Address& peer, std::string_view network) {
    const std::size_t slash = network.find('/');
    const auto base = parse_address(network.substr(0, slash));
    if (!base || base->family != peer.family)
        return false;
    std::optional<unsigned> length = base->bits();
    if (slash != network.npos)
        length = parse_prefix_length(network.substr(slash + 1), base->bits());
    return length && network_of(peer, *length) == network_of(*base, *length);
}

} // namespace

bool comes_from(const std::string& peer, const std::vector<std::string>& networks) {
    if (networks.empty())
        return true;
    const auto address = address_of(peer);
    return address && std::any_of(networks.begin(), networks.end(),
                                  [&](const std::string& network) { return is_in(*address, network); });
}

std::string site_of(const std::string& peer) {
    constexpr unsigned k_site_bits = 64;
    const auto address = address_of(peer);
    if (!address || address->family == AF_INET)
        return peer;
    const Address site = network_of(*address, k_site_bits);
    char text[INET6_ADDRSTRLEN] = {};
    if (::inet_ntop(AF_INET6, site.bytes.data(), text, sizeof text) == nullptr)
        return peer;
    return std::string(text) + "/64";
}

} // namespace gate::ctl
