// What the policy says of a key that is well formed: keys.types, keys.min_rsa_bits.
#pragma once

#include "lib/keyring/policy.h"

#include <string>
#include <string_view>

namespace gate::ctl {

// Empty, or what is wrong with it. The blob has passed check_blob. Users who send by FTP have no such terms.
[[nodiscard]] std::string wrong_with_policy(const keyring::Policy& policy, std::string_view type,
                                            std::string_view blob);

} // namespace gate::ctl
