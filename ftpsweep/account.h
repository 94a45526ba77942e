// The account that the sweep works as: the one that agents deliver to.
#pragma once

#include "lib/base/result.h"
#include "lib/keyring/policy.h"

#include <string>
#include <sys/types.h>

namespace gate::sweep {

// Started by root, the process becomes account.user, in all its groups and in the one of those who upload.
// Started by somebody else, it must be that account. Errors: bad_input, not_found, system.
[[nodiscard]] Result<void> become_account(const keyring::Policy& policy);

// Errors: not_found, system.
[[nodiscard]] Result<uid_t> find_user(const std::string& name);

} // namespace gate::sweep
