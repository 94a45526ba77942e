#include "gatectl/account.h"

#include <grp.h>
#include <pwd.h>

namespace gate::ctl {

namespace {
constexpr std::size_t k_buffer = 256 * 1024; // a group's line grows with its members
}

std::optional<gid_t> find_group(const std::string& name) {
    std::vector<char> buffer(k_buffer);
    ::group entry{};
    ::group* found = nullptr;
    if (::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
        return std::nullopt;
    return found->gr_gid;
}

std::optional<Account> find_account(const std::string& name) {
    std::vector<char> buffer(k_buffer);
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
        return std::nullopt;
    Account out{.name = name,
                .uid = found->pw_uid,
                .gid = found->pw_gid,
                .shell = found->pw_shell,
                .groups = std::vector<gid_t>(32)};
    int count = static_cast<int>(out.groups.size());
    if (::getgrouplist(name.c_str(), out.gid, out.groups.data(), &count) < 0) {
        out.groups.resize(static_cast<std::size_t>(count));
        if (::getgrouplist(name.c_str(), out.gid, out.groups.data(), &count) < 0)
            return std::nullopt;
    }
    out.groups.resize(static_cast<std::size_t>(count));
    return out;
}

} // namespace gate::ctl
