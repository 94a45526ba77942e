// The sum of the quarantine that sessions keep: the account cannot look into it, so root sets it right.
#include "gatectl/problem.h"
#include "gatectl/quarantine/shelf.h"
#include "lib/base/text.h"
#include "lib/spool/record_file.h"

#include <fcntl.h>
#include <sys/stat.h>

namespace gate::ctl {

namespace {

constexpr int k_patience_ms = 2000;

// The file is the account's, in a directory of the account: what lies there is not trusted to be a file.
[[nodiscard]] Result<Fd> open_usage(int dir, const Account& account) {
    const char* name = spool::k_quarantine_usage_name;
    Result<Fd> fd = spool::open_shared(dir, name, spool::Open::write, account.uid);
    if (fd)
        return fd;
    if (fd.error().code == Errc::system)
        return fd;
    if (fd.error().code != Errc::missing && ::unlinkat(dir, name, 0) != 0)
        return fail_errno("cannot remove what is in its place");
    Fd made{::openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!made.valid())
        return fail_errno("cannot make it");
    if (::fchmod(made.get(), 0600) != 0 || ::fchown(made.get(), account.uid, account.gid) != 0)
        return fail_errno("cannot give it to the account");
    return made;
}

[[nodiscard]] Result<void> correct(const std::string& directory, const Shelf& shelf, const Account& account) {
    const Fd dir{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!dir.valid())
        return fail_errno("cannot open the directory of the sessions' state");
    GATE_TRY(const Fd fd, open_usage(dir.get(), account));
    // Sessions wait for this one a moment; they add under the same lock what they are about to put there.
    GATE_CHECK(spool::lock_for(fd.get(), k_patience_ms));
    spool::QuarantineUsage truth;
    for (const ShelfEntry& entry : shelf.entries()) {
        truth.bytes += entry.charged;
        truth.packets += entry.packet ? 1 : 0;
    }
    const auto known = spool::read_usage(fd.get());
    if (known && known->bytes == truth.bytes && known->packets == truth.packets)
        return {};
    return spool::write_usage(fd.get(), truth);
}

} // namespace

std::string correct_usage(const Context& context, const Shelf& shelf, const Account& account) {
    const auto done = correct(memory_directory(context), shelf, account);
    return done ? std::string()
                : fmt::format("the sum of the quarantine could not be set right: {}", describe(done.error()));
}

} // namespace gate::ctl
