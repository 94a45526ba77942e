#include "pam_pandora/account.h"

#include <algorithm>
#include <cerrno>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

namespace gate::pam {

namespace {

constexpr std::size_t k_first_buffer = 4096;
// A directory's group of 100,000 members is below 2 MB.
constexpr std::size_t k_max_buffer = std::size_t{4} * 1024 * 1024;
// Nobody sends sshd so many signals in a look-up; a service that says so without end must not hold a login.
constexpr int k_max_interruptions = 100;
constexpr int k_max_groups = 65536; // NGROUPS_MAX of Linux

// The getXXnam_r calls: grows the buffer while it is too small. Returns errno; 0 with a null entry is "none".
template<class Entry>
int look_up(int (*call)(const char*, Entry*, char*, std::size_t, Entry**), const char* name, Entry& entry,
            std::vector<char>& buffer, Entry*& found) {
    buffer.resize(k_first_buffer);
    for (int interruptions = 0;;) {
        found = nullptr;
        const int error = call(name, &entry, buffer.data(), buffer.size(), &found);
        if (error == EINTR && ++interruptions < k_max_interruptions)
            continue;
        if (error != ERANGE || buffer.size() >= k_max_buffer)
            return error;
        buffer.resize(buffer.size() * 4);
    }
}

// POSIX lets an implementation say "none" in these two other ways.
bool means_none(int error) {
    return error == 0 || error == ENOENT || error == ESRCH;
}

// The numbers of all groups of an account. Errors: system.
Result<std::vector<gid_t>> groups_of(const Account& account) {
    std::vector<gid_t> groups(64);
    for (;;) {
        int count = static_cast<int>(groups.size());
        if (::getgrouplist(account.name.c_str(), account.gid, groups.data(), &count) >= 0) {
            groups.resize(static_cast<std::size_t>(count));
            return groups;
        }
        // Too small: count says what is needed. Unchanged, it means that memory ran out.
        if (count <= static_cast<int>(groups.size()) || count > k_max_groups)
            return fail(Errc::system, "cannot list the groups of the user", ENOMEM);
        groups.resize(static_cast<std::size_t>(count));
    }
}

bool listed_in(const group& entry, const std::string& user) {
    for (char** member = entry.gr_mem; member != nullptr && *member != nullptr; ++member)
        if (user == *member)
            return true;
    return false;
}

bool same_file(const std::string& a, const std::string& b) {
    struct stat first {};
    struct stat second {};
    return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 &&
           first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

} // namespace

Result<Account> find_account(const std::string& user) {
    passwd entry{};
    passwd* found = nullptr;
    std::vector<char> buffer;
    const int error = look_up(::getpwnam_r, user.c_str(), entry, buffer, found);
    if (found == nullptr) {
        if (means_none(error))
            return fail(Errc::not_found, "there is no such user");
        return fail(Errc::system, "cannot look the user up", error);
    }
    const bool has_shell = entry.pw_shell != nullptr && entry.pw_shell[0] != '\0';
    return Account{entry.pw_name, entry.pw_gid, has_shell ? entry.pw_shell : "/bin/sh"};
}

Result<bool> is_member(const Account& account, const std::string& group_name) {
    group entry{};
    group* found = nullptr;
    std::vector<char> buffer;
    const int error = look_up(::getgrnam_r, group_name.c_str(), entry, buffer, found);
    if (found == nullptr) {
        if (means_none(error))
            return fail(Errc::not_found, "the group of group= does not exist");
        return fail(Errc::system, "cannot look the group of group= up", error);
    }
    // getgrouplist() cannot report that a service failed; the entry just read needs no second look-up.
    if (entry.gr_gid == account.gid || listed_in(entry, account.name))
        return true;
    GATE_TRY(const std::vector<gid_t> groups, groups_of(account));
    return std::ranges::find(groups, entry.gr_gid) != groups.end();
}

bool shell_allowed(const std::string& shell, const std::vector<std::string>& allowed) {
    return std::ranges::any_of(
        allowed, [&](const std::string& path) { return path == shell || same_file(path, shell); });
}

} // namespace gate::pam
