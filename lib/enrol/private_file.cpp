#include "lib/enrol/private_file.h"

#include "lib/base/file.h"
#include "lib/base/text.h"

#include <fcntl.h>
#include <span>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

namespace gate::enrol {

namespace {

[[nodiscard]] Result<void> check_private(int fd, uid_t owner) {
    struct stat st {};
    if (::fstat(fd, &st) != 0)
        return fail_errno("cannot stat file");
    if (st.st_uid != owner)
        return fail(Errc::wrong_owner, "file or directory has the wrong owner");
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return fail(Errc::writable, "file or directory is open to group or others");
    return {};
}

} // namespace

Result<Fd> open_private_directory(const std::string& path, uid_t owner) {
    Fd fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!fd.valid() && errno == ENOENT)
        return fail(Errc::missing, "directory is missing", ENOENT);
    if (!fd.valid() && (errno == ENOTDIR || errno == ELOOP))
        return fail(Errc::not_regular, "not a directory", errno);
    if (!fd.valid())
        return fail_errno("cannot open directory");
    GATE_CHECK(check_private(fd.get(), owner));
    return fd;
}

Result<Fd> open_private(int dir, const std::string& name, uid_t owner, int flags) {
    GATE_TRY(Fd fd, open_single(dir, name.c_str(), flags, 0600));
    GATE_CHECK(check_private(fd.get(), owner));
    return fd;
}

Result<std::string> read_private(int dir, const std::string& name, uid_t owner, std::size_t cap) {
    GATE_TRY(const Fd fd, open_private(dir, name, owner));
    return read_all(fd.get(), cap);
}

Result<void> replace_private(int dir, const std::string& name, std::string_view bytes, bool durable) {
    const std::string beside = name + ".new";
    if (::unlinkat(dir, beside.c_str(), 0) != 0 && errno != ENOENT) // of somebody who was killed here
        return fail_errno("cannot remove what was left beside a file");
    const Fd fd{::openat(dir, beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!fd.valid())
        return fail_errno("cannot create file");
    Result<void> done = write_all(fd.get(), std::as_bytes(std::span(bytes)));
    if (done && ::fchmod(fd.get(), 0600) != 0) // a stricter umask must not take it from its owner
        done = fail_errno("cannot set the mode of a file");
    if (done && durable && ::fsync(fd.get()) != 0)
        done = fail_errno("cannot sync file");
    if (done && ::renameat(dir, beside.c_str(), dir, name.c_str()) != 0)
        done = fail_errno("cannot rename file");
    if (!done) {
        ::unlinkat(dir, beside.c_str(), 0);
        return done;
    }
    if (durable && ::fsync(dir) != 0)
        return fail_errno("cannot sync directory");
    return {};
}

std::uint64_t checksum_of(std::string_view bytes) {
    return XXH3_64bits(bytes.data(), bytes.size());
}

} // namespace gate::enrol
