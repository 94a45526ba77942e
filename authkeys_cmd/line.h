// The one line that sshd reads (sshd(8), AUTHORIZED_KEYS FILE FORMAT).
#pragma once

#include "lib/base/result.h"
#include "lib/keyring/record.h"

#include <string>
#include <string_view>

namespace gate::authkeys {

enum class Expiry : std::uint8_t {
    told,   // expiry-time="YYYYMMDDHHMMSSZ", UTC: OpenSSH 9.1 and later
    untold, // older ones do not know the Z, and would throw the whole line away
};

// `restrict[,from="a,b"][,expiry-time="..."] <type> <base64> <key id>\n`. Nothing in it is copied from the
// keyring unchecked: the type is one of a list, the blob's own embedded type must be the same, base64 and
// the time are made here, an address passes is_network(), and the key id holds letters, digits, '.', '_' and
// '-' only. So CR, LF, NUL, blanks and quotes cannot be in it. Errors: bad_input.
[[nodiscard]] Result<std::string> compose_line(const keyring::KeyRecord& key, Expiry expiry);

// An IPv4 or IPv6 address, or a network in CIDR notation whose host bits are 0 (sshd takes no key at all from
// a line with another one). No name, no zone, no pattern.
[[nodiscard]] bool is_network(std::string_view text);
[[nodiscard]] bool known_type(std::string_view type);
[[nodiscard]] bool plain_id(std::string_view id);

} // namespace gate::authkeys
