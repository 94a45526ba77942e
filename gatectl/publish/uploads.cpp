#include "gatectl/publish/uploads.h"

#include "gatectl/problem.h"
#include "gatectl/publish/ftp_members.h"
#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/base/text.h"

#include <algorithm>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace gate::ctl {

namespace {

constexpr const char* k_held = ".held";
constexpr const char* k_new = ".new"; // no user is called so
constexpr int k_directory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

struct Wanted {
    uid_t owner;
    gid_t group;
    mode_t mode;
};

[[nodiscard]] Result<struct stat> look(const Fd& fd) {
    struct stat st {};
    if (::fstat(fd.get(), &st) != 0)
        return fail_errno("cannot stat it");
    return st;
}

// Owner first: to change it takes bits of the mode away.
[[nodiscard]] Result<void> set_right(const Fd& fd, const Wanted& wanted) {
    GATE_TRY(const struct stat st, look(fd));
    if ((st.st_uid != wanted.owner || st.st_gid != wanted.group) &&
        ::fchown(fd.get(), wanted.owner, wanted.group) != 0)
        return fail_errno("cannot give it its owner and group");
    if ((st.st_mode & 07777) != wanted.mode && ::fchmod(fd.get(), wanted.mode) != 0)
        return fail_errno("cannot give it its mode");
    return {};
}

[[nodiscard]] Result<Fd> open_directory(int at, const char* name) {
    Fd fd{::openat(at, name, k_directory)};
    if (!fd.valid())
        return fail_errno("cannot open it as a directory");
    return fd;
}

class Uploads {
  public:
    Uploads(Fd root, const Wanted& user, const Wanted& held)
        : root_(std::move(root)), user_(user), held_(held) {}

    [[nodiscard]] Result<void> make(const char* name) const {
        auto there = open_directory(root_.get(), name);
        if (!there && there.error().sys_errno == ENOENT)
            return make_new(name);
        if (!there)
            return std::unexpected(there.error());
        GATE_CHECK(set_right(*there, user_)); // its name is in root's hands
        return make_held(*there);
    }

    // Those that are there, links and files left out.
    [[nodiscard]] std::vector<std::string> names() const { return entries(root_.get(), DT_DIR); }

    [[nodiscard]] bool is_empty(const char* name) const {
        const auto user = open_directory(root_.get(), name);
        if (!user)
            return true;
        const auto left = entries(user->get(), DT_UNKNOWN);
        const auto held = open_directory(user->get(), k_held);
        return left.empty() && (!held || entries(held->get(), DT_UNKNOWN).empty());
    }

  private:
    // Without what begins with a dot. DT_UNKNOWN: of any kind.
    [[nodiscard]] static std::vector<std::string> entries(int at, unsigned char kind) {
        const int again = ::openat(at, ".", k_directory);
        const std::unique_ptr<DIR, int (*)(DIR*)> dir(again < 0 ? nullptr : ::fdopendir(again), ::closedir);
        std::vector<std::string> out;
        while (const dirent* entry = dir ? ::readdir(dir.get()) : nullptr) {
            struct stat st {};
            if (entry->d_name[0] != '.' &&
                (kind != DT_DIR ||
                 (::fstatat(at, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))))
                out.emplace_back(entry->d_name);
        }
        return out;
    }

    // An empty directory that is as it has to be, where only root can reach it.
    [[nodiscard]] Result<Fd> make_beside(const Wanted& wanted) const {
        remove_beside();
        if (::mkdirat(root_.get(), k_new, 0700) != 0)
            return fail_errno("cannot make it");
        GATE_TRY(Fd fd, open_directory(root_.get(), k_new));
        GATE_CHECK(set_right(fd, wanted));
        return fd;
    }
    void remove_beside() const { // of a publish that was killed; empty, else it stays and mkdir says so
        if (const auto left = open_directory(root_.get(), k_new))
            ::unlinkat(left->get(), k_held, AT_REMOVEDIR);
        ::unlinkat(root_.get(), k_new, AT_REMOVEDIR);
    }
    [[nodiscard]] Result<void> put_in_place(int at, const char* name) const {
        if (::renameat2(root_.get(), k_new, at, name, RENAME_NOREPLACE) == 0)
            return {};
        const auto failed = fail_errno("cannot put it in place");
        remove_beside();
        return failed;
    }

    [[nodiscard]] Result<void> make_new(const char* name) const {
        GATE_TRY(const Fd user, make_beside({.owner = ::geteuid(), .group = ::getegid(), .mode = 0700}));
        if (::mkdirat(user.get(), k_held, 0700) != 0)
            return fail_errno("cannot make .held in it");
        GATE_TRY(const Fd held, open_directory(user.get(), k_held));
        GATE_CHECK(set_right(held, held_));
        GATE_CHECK(set_right(user, user_));
        return put_in_place(root_.get(), name);
    }

    [[nodiscard]] Result<void> make_held(const Fd& user) const {
        Fd there{::openat(user.get(), k_held, k_directory)};
        if (!there.valid() && errno == ENOENT) {
            GATE_TRY(const Fd made, make_beside(held_));
            return put_in_place(user.get(), k_held);
        }
        if (!there.valid())
            return fail_errno("its .held is no directory: see who made it, and remove it");
        GATE_TRY(const struct stat st, look(there));
        if (st.st_uid != held_.owner)
            return fail(Errc::wrong_owner, "its .held is not account.user's: see who made it, and remove it");
        return set_right(there, held_);
    }

    Fd root_;
    Wanted user_;
    Wanted held_;
};

[[nodiscard]] Result<Fd> open_root(const Context& context, const std::string& path, gid_t reader) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
        return fail_errno("cannot make it");
    GATE_TRY(Fd fd, open_directory(AT_FDCWD, path.c_str()));
    GATE_TRY(const struct stat st, look(fd));
    // What lies in it may then be anything.
    if (st.st_uid != context.owner || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return fail(Errc::wrong_owner,
                    "it is not root's alone: look through it, then run `chown root` and `chmod 0751` on it");
    GATE_CHECK(set_right(fd, {.owner = context.owner, .group = reader, .mode = 0751}));
    return fd;
}

// Many of a kind are one line.
void remark_on_some(Context& context, const std::vector<std::string>& lines, std::string_view about) {
    constexpr std::size_t k_named = 3;
    for (std::size_t i = 0; i < lines.size() && i < k_named; ++i)
        context.remarks.push_back(lines[i]);
    if (lines.size() > k_named)
        context.remarks.push_back(fmt::format("and {} more {}", lines.size() - k_named, about));
}

} // namespace

void prepare_uploads(Context& context, const keyring::Policy& policy, const Account& account,
                     std::size_t most) {
    // A keyring elsewhere is a trial: what the shipped defaults name is left alone then.
    if (!policy.ftp_enabled || (context.keyring != keyring::k_default_path &&
                                policy.ftp_directory == keyring::Policy{}.ftp_directory))
        return;
    const std::string shown = escape_visible(policy.ftp_directory);
    auto root = open_root(context, policy.ftp_directory, account.gid);
    if (!root)
        return context.remarks.push_back(
            fmt::format("ftp.directory {} could not be made: {}", shown, describe(root.error())));
    FtpMembers members = find_ftp_members(policy);
    if (!members.group_found)
        return context.remarks.push_back(fmt::format(
            "account.group {} does not exist: nobody has an upload directory", policy.account_group));
    for (const std::string& name : members.strange)
        context.remarks.push_back(
            fmt::format("the user {} cannot send by FTP: no directory can be called so", name));
    const Uploads uploads(std::move(*root), {.owner = account.uid, .group = policy.ftp_gid, .mode = 01730},
                          {.owner = account.uid, .group = account.gid, .mode = 0700});
    std::vector<std::string> left;
    for (std::string& name : uploads.names()) {
        if (std::binary_search(members.names.begin(), members.names.end(), name))
            continue;
        if (is_ftp_member(policy, name)) // whom the name service knows and does not list
            members.names.insert(std::lower_bound(members.names.begin(), members.names.end(), name), name);
        else if (!uploads.is_empty(name.c_str()))
            left.push_back(fmt::format("{}/{} is of a user who may not send by FTP any more, and not empty",
                                       shown, escape_visible(name)));
    }
    if (members.names.size() > most) {
        context.remarks.push_back(fmt::format(
            "{} users may send by FTP, upload directories are made for the first {}: take some out of {}",
            members.names.size(), most, policy.account_group));
        members.names.resize(most);
    }
    std::vector<std::string> failed;
    for (const std::string& name : members.names)
        if (const auto made = uploads.make(name.c_str()); !made)
            failed.push_back(fmt::format("the upload directory {}/{} could not be made: {}", shown,
                                         escape_visible(name), describe(made.error())));
    remark_on_some(context, failed, "upload directories could not be made");
    remark_on_some(context, left, "directories are of users who may not send by FTP any more");
}

} // namespace gate::ctl
