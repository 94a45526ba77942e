#include "lib/spool/ledger.h"

#include "lib/base/clock.h"
#include "lib/spool/record_file.h"

#include <fcntl.h>
#include <utility>

namespace gate::spool {

namespace {

[[nodiscard]] Result<Fd> open_state(const std::string& path) {
    Fd fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!fd.valid() && errno == ENOENT)
        return fail(Errc::missing, "the state directory is missing: run pandora-gate publish", ENOENT);
    if (!fd.valid())
        return fail_errno("the state directory cannot be opened");
    return fd;
}

} // namespace

Ledger::Ledger(const keyring::Policy& policy, const keyring::Fingerprint& key, const Spool& spool,
               const StatePaths& paths, uid_t owner)
    : policy_(policy), memory_(policy), quarantine_(fail(Errc::missing, "the state directory is missing")) {
    open_pause(paths.pause, owner);
    const auto state = open_state(paths.directory);
    if (!state) {
        troubles_.push_back({"memory", state.error()});
        quarantine_ = std::unexpected(state.error());
        return;
    }
    // An error of the memory is told by take_troubles().
    static_cast<void>(memory_.open(state->get(), memory_name(key), owner).has_value());
    if (const auto opened = backlog_.open(state->get(), spool.data_in(), policy.spool_max_backlog); !opened)
        troubles_.push_back({"backlog", opened.error()});
    quarantine_ = Quarantine::open(policy, spool, state->get(), owner);
    if (!quarantine_)
        troubles_.push_back({"quarantine", quarantine_.error()});
}

// The file is there once `publish` or `pause` has run as root; none is no pause.
void Ledger::open_pause(const std::string& path, uid_t owner) {
    auto fd = open_shared(AT_FDCWD, path.c_str(), Open::read, 0);
    if (!fd && fd.error().code == Errc::wrong_owner)
        fd = open_shared(AT_FDCWD, path.c_str(), Open::read, owner);
    if (fd)
        pause_ = std::move(*fd);
    else if (fd.error().code != Errc::missing)
        troubles_.push_back({"pause", fd.error()});
}

bool Ledger::paused() const {
    if (!pause_.valid())
        return false;
    // Written in place: what cannot be read is being written, or is damaged. An administrator who paused must
    // not be overheard for that.
    const auto pause = read_pause(pause_.get());
    return !pause || pause->holds_at(wall_clock_us() / 1'000'000);
}

Reason Ledger::check(std::optional<std::uint64_t> size, std::uint64_t open_files) {
    if (paused())
        return Reason::paused;
    if (!backlog_.room())
        return Reason::backlog;
    const auto recent = Memory::Hold(memory_, wall_clock_us()).recent();
    if (recent.files + open_files >= policy_.quota_files)
        return Reason::quota_files;
    // A file whose size nobody has said has one byte at the least.
    if (recent.bytes > policy_.quota_bytes || size.value_or(1) > policy_.quota_bytes - recent.bytes)
        return Reason::quota_bytes;
    return Reason::none;
}

std::vector<Ledger::Trouble> Ledger::take_troubles() {
    if (const auto trouble = memory_.take_trouble())
        troubles_.push_back({"memory", *trouble});
    return std::exchange(troubles_, {});
}

std::vector<int> Ledger::descriptors() const {
    std::vector<int> out;
    for (const int fd :
         {memory_.fd(), backlog_.fd(), pause_.get(), quarantine_ ? quarantine_->usage() : -1}) {
        if (fd >= 0)
            out.push_back(fd);
    }
    return out;
}

} // namespace gate::spool
