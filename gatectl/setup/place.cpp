#include "gatectl/setup/place.h"

#include "gatectl/problem.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/text.h"

#include <algorithm>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace gate::ctl::setup {

namespace {

constexpr std::size_t k_max_file = 8 << 20; // a configuration file is kilobytes; revoked_keys grows
constexpr const char* k_beside = ".pandora-gate-new";

[[noreturn]] void fail_io(const std::string& path, const char* what) {
    const int error = errno;
    stop(Status::io, "{}: {}", escape_visible(path), describe({Errc::system, error, what}));
}

} // namespace

PathState Place::look(const std::string& path, bool inside) const {
    const std::string there = real(path);
    struct stat st {};
    if (::lstat(there.c_str(), &st) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return {};
        fail_io(path, "cannot stat it");
    }
    PathState out{.mode = st.st_mode & 07777, .uid = st.st_uid, .gid = st.st_gid};
    if (!is_machine()) {
        const auto owner = owners_.find(path);
        out.uid = owner == owners_.end() ? 0 : owner->second.first;
        out.gid = owner == owners_.end() ? 0 : owner->second.second;
    }
    if (S_ISDIR(st.st_mode)) {
        out.kind = PathState::Kind::directory;
    } else if (S_ISLNK(st.st_mode)) {
        std::error_code error;
        out = {.kind = PathState::Kind::link,
               .content = std::filesystem::read_symlink(there, error).string()};
    } else if (S_ISREG(st.st_mode)) {
        out.kind = PathState::Kind::file;
        if (!inside)
            return out;
        const auto fd = open_regular(there.c_str());
        const auto content = fd ? read_all(fd->get(), k_max_file) : std::unexpected(fd.error());
        if (!content)
            stop(Status::io, "{}: {}", escape_visible(path), describe(content.error()));
        out.content = *content;
    } else {
        out.kind = PathState::Kind::other;
    }
    return out;
}

bool Place::exists(const std::string& path) const {
    return ::access(real(path).c_str(), F_OK) == 0;
}

std::optional<std::string> Place::text(const std::string& path) const {
    const Fd fd{::open(real(path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    struct stat st {};
    if (!fd.valid() || ::fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode))
        return std::nullopt;
    auto content = read_all(fd.get(), k_max_file);
    return content ? std::optional(std::move(*content)) : std::nullopt;
}

std::vector<std::string> Place::names(const std::string& path) const {
    std::vector<std::string> out;
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(real(path).c_str()), ::closedir);
    while (const dirent* entry = dir ? ::readdir(dir.get()) : nullptr)
        if (const std::string name = entry->d_name; name != "." && name != "..")
            out.push_back(name);
    std::sort(out.begin(), out.end());
    return out;
}

std::optional<dev_t> Place::volume(const std::string& path) const {
    struct stat st {};
    std::string at = path;
    while (::stat(real(at).c_str(), &st) != 0) {
        if (at.find('/') == std::string::npos || at == "/")
            return std::nullopt;
        at.resize(std::max<std::size_t>(at.rfind('/'), 1));
    }
    return st.st_dev;
}

std::string Place::program(const std::string& name) const {
    for (const char* directory : {"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"})
        if (::access(real(directory + name).c_str(), X_OK) == 0)
            return directory + name;
    return {};
}

void Place::own(const std::string& path, const PathState& state, int fd) {
    if (!is_machine())
        owners_[path] = {state.uid, state.gid};
    else if (::fchown(fd, state.uid, state.gid) != 0)
        fail_io(path, "cannot give it its owner");
    if (::fchmod(fd, state.mode) != 0) // after the owner: a chown takes set-ID bits away
        fail_io(path, "cannot give it its mode");
}

void Place::put(const std::string& path, const PathState& state) {
    const std::string there = real(path);
    const std::string beside = there + k_beside;
    switch (state.kind) {
    case PathState::Kind::absent:
        if (::unlink(there.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR &&
            (errno != EISDIR || ::rmdir(there.c_str()) != 0))
            fail_io(path, "cannot remove it");
        owners_.erase(path);
        return;
    case PathState::Kind::directory: {
        if (::mkdir(there.c_str(), 0700) != 0 && errno != EEXIST)
            fail_io(path, "cannot make it");
        const Fd fd{::open(there.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
        if (!fd.valid())
            fail_io(path, "cannot open it as a directory");
        return own(path, state, fd.get());
    }
    case PathState::Kind::link:
        ::unlink(beside.c_str());
        if (::symlink(state.content.c_str(), beside.c_str()) != 0 ||
            ::rename(beside.c_str(), there.c_str()) != 0)
            fail_io(path, "cannot make the link");
        return;
    case PathState::Kind::file: {
        ::unlink(beside.c_str());
        const Fd fd{
            ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR)};
        if (!fd.valid())
            fail_io(path, "cannot write it");
        own(path, state, fd.get());
        if (!write_all(fd.get(), std::as_bytes(std::span(state.content))) ||
            (is_machine() && ::fsync(fd.get()) != 0) || ::rename(beside.c_str(), there.c_str()) != 0) {
            const int error = errno;
            ::unlink(beside.c_str());
            errno = error;
            fail_io(path, "cannot write it");
        }
        return;
    }
    case PathState::Kind::other:
        break;
    }
    stop(Status::refused, "{}: it is neither a file, a directory nor a link", escape_visible(path));
}

void Place::make_private_directory(const std::string& path) {
    for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
        const std::string part = path.substr(0, end);
        if (::mkdir(real(part).c_str(), end == std::string::npos ? 0700 : 0755) != 0 && errno != EEXIST)
            fail_io(part, "cannot make it");
        if (end == std::string::npos)
            return;
    }
}

void Place::put_private(const std::string& path, const std::string& content, mode_t mode) {
    make_private_directory(path.substr(0, path.rfind('/')));
    Place::put(path, {.kind = PathState::Kind::file, .content = content, .mode = mode});
}

void Place::remove_tree(const std::string& path) {
    std::error_code error;
    std::filesystem::remove_all(real(path), error);
}

} // namespace gate::ctl::setup
