#include "gatectl/backup/states.h"

#include "gatectl/account.h"
#include "gatectl/backup/files.h"
#include "gatectl/problem.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/text.h"
#include "lib/spool/pause.h"
#include "lib/spool/record_file.h"

#include <fcntl.h>
#include <unistd.h>

namespace gate::ctl::backup {

namespace {

constexpr std::int64_t k_second_ns = 1'000'000'000;
constexpr int k_patience_ms = 2000; // for an administrator who pauses at this moment

[[nodiscard]] std::int64_t mtime_ns(const struct stat& st) {
    return st.st_mtim.tv_sec * k_second_ns + st.st_mtim.tv_nsec;
}

// The directory is the account's, who may have put anything there.
[[nodiscard]] Result<Fd> open_directory(const std::string& path, const Account& account) {
    const bool made = ::mkdir(path.c_str(), 0700) == 0;
    if (!made && errno != EEXIST)
        return fail_errno("cannot make it");
    Fd fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!fd.valid())
        return fail_errno("cannot open it as a directory");
    if (made && (::fchown(fd.get(), account.uid, account.gid) != 0 || ::fchmod(fd.get(), 0700) != 0))
        return fail_errno("cannot give it its owner and mode");
    return fd;
}

[[nodiscard]] bool is_newer_there(int dir, const std::string& name, std::int64_t than_ns) {
    struct stat st {};
    return ::fstatat(dir, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
           mtime_ns(st) >= than_ns;
}

struct Counts {
    std::size_t restored = 0;
    std::size_t newer = 0;
    std::size_t failed = 0;
    Error example{};
};

[[nodiscard]] Counts put_memories(int dir, const Unpacked& archive, const Account& account) {
    Counts out;
    for (const Member& member : archive.manifest().members) {
        if (kind_of(member.name) != Kind::memory)
            continue;
        const std::string name = member.name.substr(k_memory_prefix.size());
        if (is_newer_there(dir, name, member.mtime_ns)) {
            ++out.newer;
            continue;
        }
        const Look look{.uid = account.uid, .gid = account.gid, .mode = 0600, .mtime_ns = member.mtime_ns};
        const auto done = install(archive.path_of(member), dir, name, look);
        if (done) {
            ++out.restored;
            continue;
        }
        out.example = done.error();
        ++out.failed;
    }
    return out;
}

} // namespace

std::vector<std::string> restore_memories(Context& context, const Unpacked& archive,
                                          const keyring::Policy& policy) {
    if (archive.manifest().count(Kind::memory) == 0)
        return {};
    const auto account = find_account(policy.account_user);
    if (!account) {
        context.remarks.push_back(
            fmt::format("account.user {} does not exist: what sessions remember was not restored; make the "
                        "account and restore again",
                        escape_visible(policy.account_user)));
        return {};
    }
    const std::string path = memory_directory(context);
    const auto dir = open_directory(path, *account);
    if (!dir) {
        context.remarks.push_back(fmt::format("what sessions remember was not restored: {}: {}",
                                              escape_visible(path), describe(dir.error())));
        return {};
    }
    const Counts counts = put_memories(dir->get(), archive, *account);
    if (counts.failed != 0)
        context.remarks.push_back(fmt::format("what sessions remember of {} key(s) was not restored: {}",
                                              counts.failed, describe(counts.example)));
    std::string line =
        fmt::format("restored the state of {} key(s) in {}", counts.restored, escape_visible(path));
    if (counts.newer != 0)
        line += fmt::format("; that of {} is as new here, and stays", counts.newer);
    return {line};
}

// Written in place: sessions have the file open, and see it with their next drop.
std::vector<std::string> restore_pause(Context& context, const Unpacked& archive) {
    const Member* member = archive.manifest().find(k_pause);
    if (member == nullptr)
        return {};
    const auto done = [&]() -> Result<spool::Pause> {
        GATE_TRY(const Fd from, open_regular(archive.path_of(*member).c_str()));
        GATE_TRY(const spool::Pause pause, spool::read_pause(from.get()));
        const Fd dir{::open(state_directory(context).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        if (!dir.valid())
            return fail_errno("cannot open its directory");
        if (is_newer_there(dir.get(), k_pause_name, member->mtime_ns))
            return spool::Pause{};
        GATE_TRY(const Fd to,
                 spool::open_shared(dir.get(), k_pause_name, spool::Open::create, context.owner));
        if (::fchmod(to.get(), 0644) != 0)
            return fail_errno("cannot give it its mode");
        GATE_CHECK(spool::lock_for(to.get(), k_patience_ms));
        GATE_CHECK(spool::write_pause(to.get(), pause));
        const timespec time{member->mtime_ns / k_second_ns, member->mtime_ns % k_second_ns};
        const timespec times[2] = {time, time};
        if (::futimens(to.get(), times) != 0 || ::fdatasync(to.get()) != 0)
            return fail_errno("cannot sync it");
        return pause;
    }();
    if (!done)
        context.remarks.push_back(
            fmt::format("the pause of the backup was not restored: {}", describe(done.error())));
    else if (done->holds_at(wall_clock_us() / 1'000'000))
        return {"restored the pause: deliveries are refused until `pandora-gate resume`, or its end"};
    return {};
}

} // namespace gate::ctl::backup
