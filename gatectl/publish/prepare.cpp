#include "gatectl/publish/prepare.h"

#include "gatectl/account.h"
#include "gatectl/problem.h"
#include "gatectl/publish/uploads.h"
#include "gatectl/quarantine/purge.h"
#include "lib/base/text.h"
#include "lib/spool/pause.h"
#include "lib/spool/record_file.h"

#include <algorithm>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace gate::ctl {

namespace {

struct Directory {
    uid_t owner;
    gid_t group;
    mode_t mode;
};

void remark(Context& context, std::string text) {
    context.remarks.push_back(std::move(text));
}

[[nodiscard]] bool is_in(std::string_view list, std::string_view word) {
    while (!list.empty()) {
        const std::string_view item = list.substr(0, list.find(','));
        if (item == word)
            return true;
        list.remove_prefix(std::min(list.size(), item.size() + 1));
    }
    return false;
}

void look_at_account(Context& context, const keyring::Policy& policy, const Account& account) {
    if (!is_in(policy.account_shells, account.shell))
        remark(context,
               fmt::format("the login shell of {}, {}, is not one of account.shells: run `usermod -s "
                           "/usr/sbin/nologin {}`, or what your ForceCommand needs",
                           account.name, escape_visible(account.shell), account.name));
    const auto group = find_group(policy.account_group);
    if (group && std::find(account.groups.begin(), account.groups.end(), *group) == account.groups.end())
        remark(context, fmt::format("{} is not a member of the group {}: run `usermod -aG {} {}`",
                                    account.name, policy.account_group, policy.account_group, account.name));
}

// Made where it is missing; owner, group and mode set right on the open descriptor, through no link.
[[nodiscard]] Result<Fd> make_directory(const std::string& path, const Directory& wanted) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
        return fail_errno("cannot make it");
    Fd fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!fd.valid())
        return fail_errno("cannot open it as a directory");
    struct stat st {};
    if (::fstat(fd.get(), &st) != 0)
        return fail_errno("cannot stat it");
    if ((st.st_uid != wanted.owner || st.st_gid != wanted.group) &&
        ::fchown(fd.get(), wanted.owner, wanted.group) != 0)
        return fail_errno("cannot give it its owner and group");
    if ((st.st_mode & 07777) != wanted.mode && ::fchmod(fd.get(), wanted.mode) != 0)
        return fail_errno("cannot give it its mode");
    return fd;
}

// Files of an account of before: sessions would not touch them, and go on without memory for ever.
void remove_strangers(int directory, uid_t owner) {
    const int again = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(again < 0 ? nullptr : ::fdopendir(again), ::closedir);
    while (const dirent* entry = dir ? ::readdir(dir.get()) : nullptr) {
        struct stat st {};
        if (::fstatat(directory, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode) &&
            st.st_uid != owner)
            ::unlinkat(directory, entry->d_name, 0);
    }
}

void make_pause_file(Context& context) {
    const std::string directory = state_directory(context);
    const auto made = [&]() -> Result<void> {
        const Fd dir{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        if (!dir.valid())
            return fail_errno("cannot open its directory");
        GATE_TRY(const Fd fd,
                 spool::open_shared(dir.get(), k_pause_name, spool::Open::create, context.owner));
        if (::fchmod(fd.get(), 0644) != 0)
            return fail_errno("cannot give it its mode");
        return {};
    }();
    if (!made)
        remark(context, fmt::format("the file for `pandora-gate pause`, {}/{}, could not be made: {}",
                                    escape_visible(directory), k_pause_name, describe(made.error())));
}

void make_state_directory(Context& context, const Account& account) {
    const std::string path = memory_directory(context);
    const auto made = make_directory(path, {.owner = account.uid, .group = account.gid, .mode = 0700});
    if (made)
        remove_strangers(made->get(), account.uid);
    else
        remark(context, fmt::format("{}, where sessions keep what they know of earlier drops, could not be "
                                    "made: {}",
                                    escape_visible(path), describe(made.error())));
}

void make_quarantine(Context& context, const keyring::Policy& policy, const Account& account) {
    // A keyring elsewhere is a trial: what the shipped defaults name is left alone then.
    if (context.keyring != keyring::k_default_path &&
        policy.spool_quarantine == keyring::Policy{}.spool_quarantine)
        return;
    const std::string& path = policy.spool_quarantine;
    if (::access(path.substr(0, std::max<std::size_t>(path.rfind('/'), 1)).c_str(), F_OK) != 0)
        return; // no Pandora server here yet
    const gid_t group = find_group(policy.account_group).value_or(account.gid);
    const auto made = make_directory(path, {.owner = context.owner, .group = group, .mode = 01730});
    if (!made)
        return remark(context, fmt::format("the quarantine {} could not be made: {}", escape_visible(path),
                                           describe(made.error())));
    const auto shelf = Shelf::open(path);
    if (!shelf)
        return;
    shelf->remove_orphans();
    const Purged purged =
        purge_entries(context, *shelf, older_than(shelf->packets(), policy.quarantine_max_age));
    if (purged.packets != 0)
        remark(context,
               fmt::format("{} packet(s) older than quarantine.max_age were purged", purged.packets));
    for (const std::string& line : purged.failed)
        remark(context, "could not be purged: " + line);
    if (std::string wrong = correct_usage(context, *shelf, account); !wrong.empty())
        remark(context, std::move(wrong));
}

} // namespace

void prepare(Context& context, const keyring::Policy& policy) {
    try {
        make_pause_file(context);
        const auto account = find_account(policy.account_user);
        if (!account)
            return remark(context, fmt::format("account.user {} does not exist: nobody can log in as it",
                                               policy.account_user));
        look_at_account(context, policy, *account);
        make_state_directory(context, *account);
        make_quarantine(context, policy, *account);
        prepare_uploads(context, policy, *account);
    } catch (const Problem& problem) {
        remark(context, problem.what());
    }
}

} // namespace gate::ctl
