// Who may send by FTP: the members of account.group whose login shell is one of account.shells. The same as
// the shipped line of pam_pandora asks for, so that whoever gets in finds his directory.
#pragma once

#include "lib/keyring/policy.h"

#include <string>
#include <vector>

namespace gate::ctl {

struct FtpMembers {
    std::vector<std::string> names{};   // sorted; each can be the name of a directory
    std::vector<std::string> strange{}; // those that cannot, printable
    bool group_found = false;
};

// Those whom the name service lists, and those whom the group names. (One that lists nobody, as sssd without
// enumerate, has to name them in the group.)
[[nodiscard]] FtpMembers find_ftp_members(const keyring::Policy& policy);

// The same question about one user; false also if the name service does not answer.
[[nodiscard]] bool is_ftp_member(const keyring::Policy& policy, const std::string& user);

} // namespace gate::ctl
