#include "ftpsweep/account.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>
#include <vector>

namespace gate::sweep {

namespace {

// NOLINTBEGIN(concurrency-mt-unsafe): one thread
[[nodiscard]] Result<const passwd*> look_up(const std::string& name) {
    errno = 0;
    const passwd* const entry = ::getpwnam(name.c_str());
    if (entry == nullptr && errno != 0 && errno != ENOENT && errno != ESRCH)
        return fail_errno("the name service does not answer");
    if (entry == nullptr)
        return fail(Errc::not_found, "there is no such user");
    return entry;
}
// NOLINTEND(concurrency-mt-unsafe)

[[nodiscard]] Result<std::vector<gid_t>> groups_of(const passwd& account) {
    std::vector<gid_t> out(64);
    for (;;) {
        int count = static_cast<int>(out.size());
        if (::getgrouplist(account.pw_name, account.pw_gid, out.data(), &count) >= 0) {
            out.resize(static_cast<std::size_t>(count));
            return out;
        }
        if (count <= static_cast<int>(out.size()))
            return fail(Errc::system, "cannot list the groups of the account");
        out.resize(static_cast<std::size_t>(count));
    }
}

} // namespace

Result<uid_t> find_user(const std::string& name) {
    GATE_TRY(const passwd* entry, look_up(name));
    return entry->pw_uid;
}

Result<void> become_account(const keyring::Policy& policy) {
    GATE_TRY(const passwd* account, look_up(policy.account_user));
    if (account->pw_uid == 0)
        return fail(Errc::bad_input, "account.user is root");
    if (::geteuid() != 0) {
        if (::geteuid() != account->pw_uid)
            return fail(Errc::bad_input, "only root and account.user may run this");
        return {};
    }
    GATE_TRY(std::vector<gid_t> groups, groups_of(*account));
    if (policy.ftp_gid != keyring::k_no_ftp_user)
        groups.push_back(policy.ftp_gid);
    if (::setgroups(groups.size(), groups.data()) != 0 ||
        ::setresgid(account->pw_gid, account->pw_gid, account->pw_gid) != 0 ||
        ::setresuid(account->pw_uid, account->pw_uid, account->pw_uid) != 0)
        return fail_errno("cannot become account.user");
    return {};
}

} // namespace gate::sweep
