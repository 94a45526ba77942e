#include "gatectl/store/location.h"

#include "gatectl/problem.h"
#include "lib/base/fd.h"
#include "lib/base/text.h"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace gate::ctl {

namespace {

[[noreturn]] void failed(const char* doing, const std::string& path, int error) {
    const char* remedy = error == EACCES || error == EPERM ? " (run as root, for instance with sudo)" : "";
    throw Problem(status_of_errno(error), fmt::format("{} {}: {}{}", doing, escape_visible(path),
                                                      std::generic_category().message(error), remedy));
}

// SOCI takes a connection string in which a quote would end the name.
[[nodiscard]] std::string absolute(const std::string& path) {
    if (path.empty() || path.find_first_of("\"'\n") != std::string::npos)
        stop(Status::usage, "the store's path must not be empty or contain quotes");
    std::error_code error;
    std::string out = std::filesystem::absolute(path, error).lexically_normal().string();
    if (error || out.ends_with('/'))
        stop(Status::usage, "{} cannot be the store's path", escape_visible(path));
    return out;
}

void demand(const std::string& path, const struct stat& st, uid_t owner, mode_t forbidden,
            const char* chmod) {
    if (st.st_uid != owner)
        stop(Status::no_permission,
             "{} belongs to uid {}, not to uid {}: whoever owns it decides who may log in",
             escape_visible(path), st.st_uid, owner);
    if ((st.st_mode & forbidden) != 0)
        stop(Status::no_permission, "{0} has mode {1:04o}: run `chmod {2} {0}`", escape_visible(path),
             st.st_mode & 07777, chmod);
}

void check_directory(const std::string& directory, uid_t owner) {
    struct stat st {};
    if (::stat(directory.c_str(), &st) != 0)
        failed("cannot reach the store's directory", directory, errno);
    if (!S_ISDIR(st.st_mode))
        failed("cannot use the store's directory", directory, ENOTDIR);
    demand(directory, st, owner, S_IWGRP | S_IWOTH, "go-w");
}

void check_file(int fd, const std::string& path, uid_t owner) {
    struct stat st {};
    if (::fstat(fd, &st) != 0)
        failed("cannot stat the store", path, errno);
    if (!S_ISREG(st.st_mode))
        stop(Status::unavailable, "the store {} is not a regular file", escape_visible(path));
    demand(path, st, owner, S_IRWXG | S_IRWXO, "600");
}

[[nodiscard]] std::string parent_of(const std::string& path) {
    return std::filesystem::path(path).parent_path().string();
}

} // namespace

std::string prepare_store_directory(const std::string& path, uid_t owner) {
    std::string file = absolute(path);
    const std::string directory = parent_of(file);
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
        failed("cannot make the store's directory", directory, errno);
    check_directory(directory, owner);
    return file;
}

std::string prepare_store(const std::string& path, uid_t owner) {
    std::string file = prepare_store_directory(path, owner);
    const Fd fd{
        ::open(file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600)};
    if (!fd.valid())
        failed("cannot open the store", file, errno);
    check_file(fd.get(), file, owner);
    return file;
}

bool store_exists(const std::string& path, uid_t owner) {
    const std::string file = absolute(path);
    const std::string directory = parent_of(file);
    const Fd fd{::open(file.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
    if (!fd.valid() && errno == ENOENT)
        return false;
    if (!fd.valid())
        failed("cannot open the store", file, errno);
    check_directory(directory, owner);
    check_file(fd.get(), file, owner);
    return true;
}

void demand_not_lost(const std::string& store, const std::string& keyring) {
    const std::string file = absolute(store);
    struct stat st {};
    // The keyring first: the one that makes both has filled the store before there is a keyring.
    if (::lstat(keyring.c_str(), &st) != 0)
        return;
    const bool missing = ::lstat(file.c_str(), &st) != 0;
    if ((missing && errno == ENOENT) || (!missing && S_ISREG(st.st_mode) && st.st_size == 0))
        stop(Status::unavailable,
             "the store {0} is {1}, but there is a keyring {2}, which logins go on with: restore the store "
             "from "
             "a backup (to begin without any key, move the keyring away)",
             escape_visible(file), missing ? "gone" : "empty", escape_visible(keyring));
}

} // namespace gate::ctl
