// Accounts and groups, asked of the name service so that "no", "there is no such group" and "the service
// failed" stay three answers: a rule that takes a failure for a "no" opens the door.
#pragma once

#include "lib/base/result.h"

#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace gate::pam {

struct Account {
    std::string name; // as the name service spells it; a case-insensitive one may have been asked otherwise
    gid_t gid = 0;
    std::string shell; // an empty field already replaced by /bin/sh, see passwd(5)
};

// Errors: not_found (there is no such user), system (the name service failed).
[[nodiscard]] Result<Account> find_account(const std::string& user);

// Whether `group` is the account's primary or one of its supplementary groups, compared by number.
// Errors: not_found (there is no such group), system (the name service failed).
[[nodiscard]] Result<bool> is_member(const Account& account, const std::string& group);

// Whether the account's shell is one of the list: the same path, or another path to the same file (device
// and inode; /sbin is a link to /usr/sbin on most systems). A file that cannot be looked at equals no other.
[[nodiscard]] bool shell_allowed(const std::string& shell, const std::vector<std::string>& allowed);

} // namespace gate::pam
