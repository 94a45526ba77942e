#include "gatectl/publish/ftp_members.h"

#include "gatectl/account.h"
#include "gatectl/keys/ftp_user.h"
#include "gatectl/store/key.h"
#include "lib/base/text.h"

#include <algorithm>
#include <grp.h>
#include <optional>
#include <pwd.h>
#include <set>
#include <sys/stat.h>

namespace gate::ctl {

namespace {

struct Group {
    gid_t gid = 0;
    std::set<std::string> names{}; // who is in it by name
};

[[nodiscard]] std::optional<Group> look_up_group(const std::string& name) {
    std::vector<char> buffer(std::size_t{1024} * 1024); // a group's line grows with its members
    ::group entry{};
    ::group* found = nullptr;
    if (::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
        return std::nullopt;
    Group out{.gid = found->gr_gid};
    for (char** member = found->gr_mem; member != nullptr && *member != nullptr; ++member)
        out.names.emplace(*member);
    return out;
}

[[nodiscard]] bool is_same_file(const std::string& a, const std::string& b) {
    struct stat first {};
    struct stat second {};
    return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 &&
           first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

[[nodiscard]] bool is_allowed_shell(const keyring::Policy& policy, std::string_view shell) {
    const std::string mine(shell.empty() ? "/bin/sh" : shell); // passwd(5)
    bool allowed = false;
    for_each_part(policy.account_shells, ',', [&](std::string_view one) {
        allowed = allowed || one == mine || is_same_file(std::string(one), mine);
    });
    return allowed;
}

} // namespace

FtpMembers find_ftp_members(const keyring::Policy& policy) {
    FtpMembers out;
    auto group = look_up_group(policy.account_group);
    out.group_found = group.has_value();
    if (!group)
        return out;
    std::set<std::string> names;
    const auto consider = [&](const std::string& name, uid_t uid, std::string_view shell) {
        if (uid != 0 && is_allowed_shell(policy, shell)) // root sends nothing
            names.insert(name);
    };
    ::setpwent();
    while (const passwd* entry = ::getpwent())
        if (const bool by_name = group->names.erase(entry->pw_name) != 0;
            by_name || entry->pw_gid == group->gid)
            consider(entry->pw_name, entry->pw_uid, entry->pw_shell);
    ::endpwent();
    for (const std::string& name : group->names)
        if (const auto account = find_account(name))
            consider(name, account->uid, account->shell);
    for (const std::string& name : names)
        if (wrong_with_ftp_user(name) == nullptr)
            out.names.push_back(name);
        else
            out.strange.push_back(escape_visible(name));
    return out;
}

bool is_ftp_member(const keyring::Policy& policy, const std::string& user) {
    const auto group = find_group(policy.account_group);
    const auto account = find_account(user);
    return group && account && account->uid != 0 && wrong_with_ftp_user(user) == nullptr &&
           std::find(account->groups.begin(), account->groups.end(), *group) != account->groups.end() &&
           is_allowed_shell(policy, account->shell);
}

} // namespace gate::ctl
