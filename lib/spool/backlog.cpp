#include "lib/spool/backlog.h"

#include "lib/base/clock.h"
#include "lib/spool/record_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <unistd.h>

namespace gate::spool {

namespace {

struct Count {
    std::int64_t at_us = 0; // since the epoch; 0: never counted
    std::uint64_t files = 0;
};

[[nodiscard]] Result<Count> read_count(int fd) {
    Count count;
    const auto read = read_record(fd, std::as_writable_bytes(std::span(&count, 1)));
    // A damaged number is an old one.
    if (!read && read.error().code != Errc::damaged)
        return std::unexpected(read.error());
    return read && *read ? count : Count{};
}

[[nodiscard]] bool is_fresh(const Count& count, std::int64_t now) {
    return count.at_us <= now && now - count.at_us < k_backlog_fresh_us;
}

} // namespace

Result<std::uint64_t> count_files(int directory, std::uint64_t enough) {
    Fd again{::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(again.valid() ? ::fdopendir(again.get()) : nullptr,
                                                  ::closedir);
    if (!dir)
        return fail_errno("cannot read data_in");
    static_cast<void>(again.release());
    std::uint64_t files = 0;
    while (files < enough) {
        const dirent* entry = ::readdir(dir.get());
        if (entry == nullptr)
            break;
        files += entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN ? 1 : 0;
    }
    return files;
}

Result<void> Backlog::open(int state_dir, int data_in, std::uint64_t most) {
    most_ = most;
    GATE_TRY(fd_, open_shared(state_dir, k_backlog_name, Open::create, ::geteuid()));
    GATE_TRY(Count count, read_count(fd_.get()));
    if (is_fresh(count, wall_clock_us()))
        return {};
    // Whoever has the lock is counting: what is known will do until then.
    if (!lock_for(fd_.get(), 0))
        return {};
    const auto counted = count_files(data_in, most + 1);
    Result<void> done;
    if (counted) {
        count = {wall_clock_us(), *counted};
        done = write_record(fd_.get(), std::as_bytes(std::span(&count, 1)));
    }
    unlock(fd_.get());
    return counted ? done : std::unexpected(counted.error());
}

bool Backlog::room() {
    if (!fd_.valid())
        return true;
    if (const auto count = read_count(fd_.get()); count && count->at_us != counted_at_) {
        counted_at_ = count->at_us;
        count_ = count->files;
        added_ = 0;
    }
    return count_ + added_ < most_;
}

} // namespace gate::spool
