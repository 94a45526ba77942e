// The account that agents log in to, as the name service knows it: who files of sessions have to belong to.
#pragma once

#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace gate::ctl {

struct Account {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0; // its primary group
    std::string shell;
    std::vector<gid_t> groups; // all of them
};

// nullopt: there is none of that name, or the name service does not answer.
[[nodiscard]] std::optional<Account> find_account(const std::string& name);
[[nodiscard]] std::optional<gid_t> find_group(const std::string& name);

} // namespace gate::ctl
