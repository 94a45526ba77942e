// rhost=: where a login may come from. The option is the administrator's; PAM_RHOST is what the service says
// of the client, which is an address only if the service did not ask DNS for a name.
#pragma once

#include "lib/base/network.h"

#include <string_view>
#include <vector>

namespace gate::pam {

struct Network {
    Address address; // no bits behind the first `length`, and never an IPv4 address inside IPv6
    unsigned length = 0;

    bool operator==(const Network&) const = default;
};

// "10.0.0.0/8", "192.0.2.1", "2001:db8::/32". Returns what is wrong with the text, or nullptr.
[[nodiscard]] const char* parse_network(std::string_view text, Network& network);

// The address of a client: a zone ("fe80::1%eth0") is taken off, an IPv4 address inside IPv6 is IPv4.
// nullopt: a name, or nothing that can be compared.
[[nodiscard]] std::optional<Address> parse_peer(std::string_view rhost);

[[nodiscard]] bool inside(const Address& peer, const std::vector<Network>& networks);

} // namespace gate::pam
