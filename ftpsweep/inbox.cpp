#include "ftpsweep/inbox.h"

#include "ftpsweep/options.h"
#include "lib/base/clock.h"
#include "lib/base/fs.h"
#include "lib/sandbox/filter.h"

#include <algorithm>
#include <array>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <string_view>

namespace gate::sweep {

namespace {

using Directory = std::unique_ptr<DIR, int (*)(DIR*)>;

[[nodiscard]] Result<Fd> open_directory(int dir, const char* name) {
    Fd fd{::openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (fd.valid())
        return fd;
    if (errno == ENOENT)
        return fail(Errc::missing, "the upload directory is missing", ENOENT);
    if (errno == ELOOP || errno == ENOTDIR)
        return fail(Errc::not_regular, "the upload directory is a link or no directory", errno);
    return fail_errno("the upload directory cannot be opened");
}

[[nodiscard]] Result<std::vector<std::string>> read_names(int directory, std::size_t most) {
    const int again = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const Directory dir(again < 0 ? nullptr : ::fdopendir(again), ::closedir);
    if (!dir)
        return fail_errno("the upload directory cannot be read");
    std::vector<std::string> out;
    while (out.size() < most) {
        errno = 0;
        const dirent* const entry = ::readdir(dir.get());
        if (entry == nullptr && errno != 0)
            return fail_errno("the upload directory cannot be read");
        if (entry == nullptr)
            break;
        const std::string_view name = entry->d_name;
        if (name != "." && name != ".." && name != k_held_name)
            out.emplace_back(name);
    }
    // Agents number their packets: the older ones come first.
    std::ranges::sort(out);
    return out;
}

[[nodiscard]] std::int64_t nanoseconds(const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// Files are stamped by a clock that stands still between its ticks (10 ms at the most): two changes in one of
// them look like one.
constexpr std::int64_t k_tick_ns = 20'000'000;

// After this a change shows in the stamps.
void let_clock_move_on(const Identity& identity) {
    const std::int64_t age = wall_clock_us() * 1000 - identity.changed_ns;
    if (age >= k_tick_ns)
        return;
    const timespec pause{.tv_sec = 0, .tv_nsec = std::min(k_tick_ns, k_tick_ns - age)};
    ::nanosleep(&pause, nullptr);
}

} // namespace

Result<std::vector<Place>> find_places(const std::string& directory) {
    GATE_TRY(const Fd parent, open_directory(AT_FDCWD, directory.c_str()));
    // Names are users: as many as there are.
    GATE_TRY(const std::vector<std::string> names, read_names(parent.get(), SIZE_MAX));
    std::vector<Place> out;
    for (const std::string& name : names) {
        struct stat st {};
        if (is_sender_name(name) && ::fstatat(parent.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISDIR(st.st_mode))
            out.push_back({name, directory + '/' + name, name});
    }
    return out;
}

Result<Inbox> open_inbox(const std::string& directory, std::size_t most_names) {
    Inbox out;
    GATE_TRY(out.uploads, open_directory(AT_FDCWD, directory.c_str()));
    GATE_TRY(out.names, read_names(out.uploads.get(), most_names));
    auto held = open_directory(out.uploads.get(), k_held_name);
    // Not there, or something else in its place: nothing is held. One that cannot be opened now may hold what
    // a journal tells of.
    if (!held && held.error().code != Errc::missing && held.error().code != Errc::not_regular)
        return std::unexpected(held.error());
    if (!held)
        return out;
    out.held = std::move(*held);
    GATE_TRY(out.held_names, read_names(out.held.get(), most_names));
    return out;
}

Identity identity_of(const struct stat& st) {
    return {.device = st.st_dev,
            .inode = st.st_ino,
            .size = static_cast<std::uint64_t>(st.st_size),
            .modified_ns = nanoseconds(st.st_mtim),
            .changed_ns = nanoseconds(st.st_ctim)};
}

Result<Upload> open_upload(int directory, const char* name, uid_t owner) {
    Fd fd{::openat(directory, name, sandbox::k_open_upload)};
    if (!fd.valid()) {
        if (errno == ENOENT)
            return fail(Errc::missing, "the upload is gone", ENOENT);
        if (errno == ELOOP || errno == ENXIO)
            return fail(Errc::not_regular, "a link, or no file", errno);
        return fail_errno("the upload cannot be opened");
    }
    struct stat st {};
    if (!stat_fd(fd.get(), st))
        return fail_errno("the upload cannot be looked at");
    if (!S_ISREG(st.st_mode))
        return fail(Errc::not_regular, "not a regular file");
    if (st.st_nlink != 1)
        return fail(st.st_nlink == 0 ? Errc::missing : Errc::not_regular, "a file with other names");
    if (st.st_uid != owner)
        return fail(Errc::wrong_owner, "somebody else's file");
    return Upload{std::move(fd), identity_of(st)};
}

bool is_no_upload(const Error& error) {
    return error.code == Errc::missing || error.code == Errc::not_regular || error.code == Errc::wrong_owner;
}

Result<bool> is_being_received(const Upload& upload) {
    struct flock lock {};
    lock.l_type = F_RDLCK; // somebody who writes has a lock that this one cannot be beside
    lock.l_whence = SEEK_SET;
    if (::fcntl(upload.fd.get(), F_GETLK, &lock) != 0)
        return fail_errno("the lock of the upload cannot be asked for");
    return lock.l_type != F_UNLCK;
}

Result<std::span<const std::byte>> copy(const Upload& upload, std::span<std::byte> buffer) {
    constexpr Error k_changed{Errc::closed, 0, "the upload is being written"};
    if (upload.identity.size > buffer.size())
        return fail(Errc::too_large, "the upload is larger than can be looked at");
    let_clock_move_on(upload.identity);
    std::size_t size = 0;
    for (;;) {
        const ssize_t n =
            ::pread(upload.fd.get(), buffer.data() + size, buffer.size() - size, static_cast<off_t>(size));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno("the upload cannot be read");
        size += static_cast<std::size_t>(n);
        if (n == 0 || size == buffer.size())
            break;
    }
    struct stat st {};
    if (!stat_fd(upload.fd.get(), st))
        return fail_errno("the upload cannot be looked at");
    GATE_TRY(const bool busy, is_being_received(upload));
    if (busy || size != upload.identity.size || identity_of(st) != upload.identity)
        return std::unexpected(k_changed);
    return std::span<const std::byte>(buffer.first(size));
}

bool ends_like_a_packet(const Upload& upload) {
    std::array<std::byte, 512> tail{};
    const std::uint64_t size = std::min<std::uint64_t>(tail.size(), upload.identity.size);
    const ssize_t n = ::pread(upload.fd.get(), tail.data(), static_cast<std::size_t>(size),
                              static_cast<off_t>(upload.identity.size - size));
    return n == static_cast<ssize_t>(size) &&
           ends_like_a_packet(std::span<const std::byte>(tail.data(), static_cast<std::size_t>(size)));
}

bool ends_like_a_packet(std::span<const std::byte> content) {
    std::string_view text(reinterpret_cast<const char*>(content.data()), content.size());
    const std::size_t last = text.find_last_not_of(" \t\r\n");
    return last != std::string_view::npos && text.substr(0, last + 1).ends_with("</agent_data>");
}

} // namespace gate::sweep
