// Publishing into data_in from root: a child process becomes the account first, so that what is delivered
// belongs to whom it always does, and root writes nothing where the account could have put a link.
#pragma once

#include "gatectl/account.h"
#include "lib/keyring/policy.h"

#include <string>
#include <string_view>

namespace gate::ctl {

// The name it got in data_in. Throws Problem.
[[nodiscard]] std::string deliver_as(const Account& account, const keyring::Policy& policy,
                                     const std::string& file, std::string_view content);

} // namespace gate::ctl
