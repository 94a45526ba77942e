#include "lib/spool/spool.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/spool/name.h"

#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gate::spool {

namespace {

constexpr std::string_view k_staged_prefix = "drop-";
// Tries at a name that is free, in staging and in data_in. Collisions are rare (an agent whose serials
// restart); the number only keeps a full directory from holding a session for ever.
constexpr unsigned k_name_tries = 64;

[[nodiscard]] Result<Fd> open_directory(const std::string& path) {
    Fd fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (fd.valid())
        return fd;
    if (errno == ENOENT)
        return fail(Errc::missing, "data_in or the staging directory is missing", ENOENT);
    if (errno == ELOOP || errno == ENOTDIR)
        return fail(Errc::not_regular, "data_in or the staging directory is a link or no directory", errno);
    return fail_errno("data_in or the staging directory cannot be opened");
}

// In the unit that file systems allocate in. Where theirs is smaller, less than one of these stays behind.
[[nodiscard]] std::uint64_t blocks_of(std::uint64_t bytes) {
    constexpr std::uint64_t k_block = 4096;
    return bytes / k_block + (bytes % k_block != 0 ? 1 : 0);
}

[[nodiscard]] unsigned clock_digits() {
    return static_cast<unsigned>(wall_clock_us() % 1'000'000);
}

// A left-over of the staging directory, and whether it had to be made readable: a file on its way into the
// quarantine has no mode any more.
struct Leftover {
    Fd fd;
    bool opened_up = false;
};

[[nodiscard]] Leftover open_leftover(int staging, const char* name) {
    constexpr int k_flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    Fd fd{::openat(staging, name, k_flags)};
    if (fd.valid() || errno != EACCES)
        return {std::move(fd)};
    const Fd itself{::openat(staging, name, O_PATH | O_NOFOLLOW | O_CLOEXEC)};
    struct stat st {};
    if (!itself.valid() || !stat_fd(itself.get(), st) || !S_ISREG(st.st_mode))
        return {};
    const std::string path = "/proc/self/fd/" + std::to_string(itself.get());
    const bool opened_up = ::chmod(path.c_str(), S_IRUSR) == 0;
    return {Fd{::openat(staging, name, k_flags)}, opened_up};
}

} // namespace

Reservation::Reservation(Fs& fs, int staging, Fd fd, std::string name) noexcept
    : fs_(fs), staging_(staging), fd_(std::move(fd)), name_(std::move(name)) {}

Reservation::Reservation(Reservation&& other) noexcept
    : fs_(other.fs_), staging_(other.staging_), fd_(std::move(other.fd_)), name_(std::move(other.name_)),
      reserved_(other.reserved_) {
    other.name_.clear();
}

Reservation::~Reservation() {
    if (!name_.empty())
        // Best effort: what stays is removed by remove_leftovers() of a later session.
        static_cast<void>(fs_.unlink(staging_, name_.c_str()).has_value());
}

Result<Spool> Spool::open(const keyring::Policy& policy, Fs& fs, Naming naming) {
    GATE_TRY(Fd data_in, open_directory(policy.spool_directory));
    GATE_TRY(Fd staging, open_directory(policy.spool_staging));
    struct stat a {};
    struct stat b {};
    if (::fstat(data_in.get(), &a) != 0 || ::fstat(staging.get(), &b) != 0)
        return fail_errno("cannot stat data_in or the staging directory");
    if (a.st_dev != b.st_dev)
        return fail(Errc::bad_input, "data_in and the staging directory are on different file systems");
    Spool spool(policy, fs, std::move(data_in), std::move(staging), naming);
    GATE_CHECK(spool.probe());
    spool.leftovers_ = spool.remove_leftovers();
    return spool;
}

Result<void> Spool::probe() {
    if (!named_) {
        // Not kept for the first reservation: a kernel that links by descriptor refuses one whose process has
        // changed its credentials since, as every part of a sandbox does.
        const Result<Fd> fd = fs_.open_tmpfile(staging_.get(), policy_.spool_mode);
        if (fd ? !fs_.can_link_fd(fd->get(), data_in_.get()) : fd.error().code == Errc::not_found)
            named_ = true;
        // A full disk is told by the first reservation, when somebody listens.
        else if (!fd && fd.error().code != Errc::no_space)
            return std::unexpected(fd.error());
    }
    return {};
}

Result<void> Spool::stage_in_data_in() {
    Fd again{::fcntl(data_in_.get(), F_DUPFD_CLOEXEC, 0)};
    if (!again.valid())
        return fail_errno("cannot open data_in once more");
    staging_ = std::move(again);
    moves_ = false;
    return {};
}

Result<FreeSpace> Spool::free_space() const {
    return fs_.free_space(data_in_.get());
}

Result<Reservation> Spool::reserve_unnamed(int directory) {
    GATE_TRY(Fd fd, fs_.open_tmpfile(directory, policy_.spool_mode));
    return Reservation(fs_, staging_.get(), std::move(fd), {});
}

Result<Reservation> Spool::reserve_named() {
    for (unsigned attempt = 0;; ++attempt) {
        std::string name(k_staged_prefix);
        append_i64(name, ::getpid());
        name += '-';
        append_u64(name, clock_digits() + attempt);
        Result<Fd> fd = fs_.create(staging_.get(), name.c_str(), policy_.spool_mode);
        if (!fd) {
            if (fd.error().code == Errc::exists && attempt < k_name_tries)
                continue;
            return std::unexpected(fd.error());
        }
        // The lock says that somebody is alive behind this name. If a sweep of left-overs was faster, take
        // another: it holds the lock, or it has let go of it and the name is gone.
        Reservation made(fs_, staging_.get(), std::move(*fd), std::move(name));
        const bool locked = ::flock(made.fd_.get(), LOCK_EX | LOCK_NB) == 0;
        struct stat st {};
        const bool swept = stat_fd(made.fd_.get(), st) && st.st_nlink == 0;
        if ((locked && !swept) || attempt >= k_name_tries)
            return made;
    }
}

Result<Reservation> Spool::reserve(std::optional<std::uint64_t> size) {
    GATE_TRY(Reservation made, named_ ? reserve_named() : reserve_unnamed(staging_.get()));
    return prepare(std::move(made), size);
}

Result<Reservation> Spool::reserve_for(int directory, std::uint64_t size) {
    if (moves_)
        return reserve(size);
    GATE_TRY(Reservation made, reserve_unnamed(directory));
    return prepare(std::move(made), size);
}

Result<Reservation> Spool::prepare(Reservation made, std::optional<std::uint64_t> size) {
    // By fchmod, not only by open: a umask or a default ACL of the directory must not change it.
    GATE_CHECK(fs_.set_mode(made.fd_.get(), policy_.spool_mode));
    if (policy_.spool_gid != keyring::k_inherit_group)
        GATE_CHECK(fs_.set_group(made.fd_.get(), policy_.spool_gid));
    if (size && *size > 0) {
        GATE_CHECK(fs_.reserve(made.fd_.get(), *size));
        made.reserved_ = *size;
    }
    return made;
}

Result<void> Spool::fill(const Reservation& r, std::span<const std::byte> content) {
    const int fd = r.fd_.get();
    const std::uint64_t size = content.size();
    while (!content.empty()) {
        GATE_TRY(const std::size_t n, fs_.write(fd, content));
        if (n == 0) // no file system does this; waiting for a better answer would last for ever
            return fail(Errc::system, "the file takes no more bytes");
        content = content.subspan(n);
    }
    // What is reserved behind the end of the file would stay allocated.
    if (blocks_of(r.reserved_) > blocks_of(size))
        GATE_CHECK(fs_.truncate(fd, size));
    if (policy_.spool_durability != keyring::Durability::none)
        GATE_CHECK(fs_.sync_data(fd));
    return {};
}

Result<void> Spool::link(Reservation& r, int directory, const char* name) {
    if (r.name_.empty())
        return fs_.link_fd(r.fd_.get(), directory, name);
    if (naming_ == Naming::moved)
        return move_or_link(r, directory, name);
    const Result<void> linked = fs_.link_name(staging_.get(), r.name_.c_str(), directory, name);
    // Over NFS a repeated request reports as failed what the first one did: the second link tells (open(2)).
    struct stat st {};
    if (!linked && stat_fd(r.fd_.get(), st) && st.st_nlink == 2)
        return {};
    if (linked || linked.error().code == Errc::exists)
        return linked; // the staging name goes with the reservation
    return move(r, directory, name);
}

// NFS has no renameat2(2): there the process may end between the two steps.
Result<void> Spool::move_or_link(Reservation& r, int directory, const char* name) {
    const Result<void> moved = move(r, directory, name);
    if (moved || (moved.error().sys_errno != EINVAL && moved.error().sys_errno != ENOSYS))
        return moved;
    GATE_CHECK(fs_.link_name(staging_.get(), r.name_.c_str(), directory, name));
    // It is where it shall be. A name that stays is a left-over, as after a crash.
    static_cast<void>(fs_.unlink(staging_.get(), r.name_.c_str()).has_value());
    r.name_.clear();
    return {};
}

Result<void> Spool::move(Reservation& r, int directory, const char* name) {
    GATE_CHECK(fs_.rename_new(staging_.get(), r.name_.c_str(), directory, name));
    r.name_.clear();
    return {};
}

Result<std::string> Spool::give_name(Reservation& reservation, std::string_view name) {
    std::string given(name);
    const unsigned digits = clock_digits();
    for (unsigned attempt = 0;; ++attempt) {
        const Result<void> linked = link(reservation, data_in_.get(), given.c_str());
        if (linked)
            return given;
        if (linked.error().code != Errc::exists || attempt == k_name_tries)
            return std::unexpected(linked.error());
        given = extend_digits(name, digits + attempt);
    }
}

Result<void> Spool::put_away(Reservation& reservation, int directory, const std::string& name) {
    constexpr mode_t k_nobody = 0;
    GATE_CHECK(fs_.set_mode(reservation.fd_.get(), k_nobody));
    GATE_CHECK(link(reservation, directory, name.c_str()));
    // The directory cannot be opened by the account. The file can: with its link count ext4, xfs and btrfs
    // write the name that changed it.
    if (policy_.spool_durability == keyring::Durability::full)
        GATE_CHECK(fs_.sync_directory(reservation.fd_.get()));
    return {};
}

Result<void> Spool::sync_names() {
    if (policy_.spool_durability != keyring::Durability::full)
        return {};
    return fs_.sync_directory(data_in_.get());
}

Result<void> Spool::sync_staged() {
    if (policy_.spool_durability == keyring::Durability::none)
        return {};
    return fs_.sync_directory(staging_.get());
}

Result<Published> Spool::publish(Reservation&& reservation, std::string_view name,
                                 std::span<const std::byte> content) {
    Reservation spent = std::move(reservation);
    GATE_CHECK(fill(spent, content));
    GATE_TRY(std::string given, give_name(spent, name));
    return Published{std::move(given), sync_names().has_value()};
}

std::uint64_t Spool::remove_leftovers() {
    const int again = ::openat(staging_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(again < 0 ? nullptr : ::fdopendir(again), ::closedir);
    std::uint64_t removed = 0;
    while (const dirent* entry = dir ? ::readdir(dir.get()) : nullptr) {
        if (!std::string_view(entry->d_name).starts_with(k_staged_prefix))
            continue;
        const auto [fd, opened_up] = open_leftover(staging_.get(), entry->d_name);
        // Whoever is writing it holds the lock.
        const bool left = fd.valid() && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0;
        if (left && fs_.unlink(staging_.get(), entry->d_name).has_value())
            ++removed;
        else if (!left && fd.valid() && opened_up)
            ::fchmod(fd.get(), 0);
    }
    return removed;
}

} // namespace gate::spool
