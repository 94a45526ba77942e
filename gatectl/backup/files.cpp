#include "gatectl/backup/files.h"

#include "gatectl/backup/scratch.h"
#include "gatectl/problem.h"
#include "lib/base/file.h"
#include "lib/base/text.h"

#include <fcntl.h>
#include <unistd.h>

namespace gate::ctl::backup {

namespace {

constexpr std::size_t k_block = 64 * 1024;
constexpr std::int64_t k_second_ns = 1'000'000'000;
// Beside a file that is put in place.
constexpr const char* k_fresh = ".restore-new";

[[noreturn]] void failed(const std::string& path, const char* doing) {
    const int error = errno;
    stop(status_of_errno(error), "{} {}: {}", escape_visible(path), doing,
         std::generic_category().message(error));
}

// Everything about the copy but its name.
[[nodiscard]] Result<void> fill(const std::string& from, int to, const Look& look) {
    const Fd source{::open(from.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
    if (!source.valid())
        return fail_errno("cannot open its copy");
    Result<void> written;
    if (!each_piece(source.get(), [&](Bytes bytes) {
            if (written)
                written = write_all(to, std::as_bytes(bytes));
        }))
        return fail_errno("cannot read its copy");
    GATE_CHECK(written);
    if (::fchown(to, look.uid, look.gid) != 0)
        return fail_errno("cannot give it its owner");
    if (::fchmod(to, look.mode) != 0)
        return fail_errno("cannot give it its mode");
    const timespec time{look.mtime_ns / k_second_ns, look.mtime_ns % k_second_ns};
    const timespec times[2] = {time, time};
    if (::futimens(to, times) != 0)
        return fail_errno("cannot give it its time");
    if (::fsync(to) != 0)
        return fail_errno("cannot sync it");
    return {};
}

} // namespace

std::string Digest::hex() {
    std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
    SHA256_Final(digest.data(), &ctx_);
    return hex_encode(digest);
}

bool each_piece(int fd, const std::function<void(Bytes)>& take) {
    std::array<std::uint8_t, k_block> block{};
    off_t at = 0;
    for (;;) {
        const ssize_t n = ::pread(fd, block.data(), block.size(), at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0;
        take(Bytes(block).first(static_cast<std::size_t>(n)));
        at += n;
    }
}

Fd create_private(const std::string& path) {
    Fd fd{::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!fd.valid() || ::fchmod(fd.get(), 0600) != 0)
        failed(path, "cannot be made");
    return fd;
}

void write_to(int fd, Bytes bytes, const std::string& path) {
    const auto written = write_all(fd, std::as_bytes(bytes));
    if (!written)
        stop(Status::io, "{} cannot be written: {}", escape_visible(path), describe(written.error()));
}

void sync_file(int fd, const std::string& path) {
    if (::fsync(fd) != 0)
        failed(path, "cannot be synced");
}

void sync_directory(const std::string& path) {
    const Fd fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!fd.valid() || ::fsync(fd.get()) != 0)
        failed(path, "cannot be synced");
}

Result<void> install(const std::string& from, int dir, const std::string& name, const Look& look) {
    const std::string fresh = name + k_fresh;
    ::unlinkat(dir, fresh.c_str(), 0); // left behind by a restore that was killed
    const Fd to{::openat(dir, fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!to.valid())
        return fail_errno("cannot make it");
    Result<void> done = fill(from, to.get(), look);
    if (done && ::renameat(dir, fresh.c_str(), dir, name.c_str()) != 0)
        done = fail_errno("cannot put it in place");
    if (!done)
        ::unlinkat(dir, fresh.c_str(), 0);
    return done;
}

bool Kept::keep(const std::string& path) {
    const std::string kept = path + k_kept;
    struct stat st {};
    if (resumed_ && ::lstat(kept.c_str(), &st) == 0)
        return true;
    const std::string fresh = kept + ".new";
    ::unlink(fresh.c_str());
    if (::link(path.c_str(), fresh.c_str()) != 0) {
        if (errno != ENOENT)
            failed(path, "cannot be kept as *.before-restore");
        return false;
    }
    if (::rename(fresh.c_str(), kept.c_str()) != 0)
        failed(path, "cannot be kept as *.before-restore");
    ::unlink(fresh.c_str()); // there still, if both were the same file already
    sync_directory(parent_of(path));
    return true;
}

} // namespace gate::ctl::backup
