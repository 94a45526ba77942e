// Where a key may come from: addresses and networks, in the one spelling that the keyring, the audit and
// sshd's from= share. Names, wildcards and negations, which from= knows too, are not taken: a name would make
// each login depend on DNS, and what is not a list of networks cannot be shown or compared.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gate::ctl {

// "10.0.0.0/8", "2001:DB8::1" -> canonical (inet_ntop's; without /32 and /128). Every result is one that
// sshd's addr_pton_cidr takes. Throws Problem (usage) with what to write instead.
[[nodiscard]] std::string parse_network(std::string_view text);

// Each by parse_network, without repetitions, in the order given. At most keyring::k_max_from of them.
[[nodiscard]] std::vector<std::string> check_networks(const std::vector<std::string>& networks);

} // namespace gate::ctl
