#include "gatectl/backup/scratch.h"

#include "gatectl/problem.h"
#include "lib/base/text.h"

#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>

namespace gate::ctl::backup {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void failed(const std::string& path, const char* doing) {
    const int error = errno;
    stop(status_of_errno(error), "the directory {} {}: {}", escape_visible(path), doing,
         std::generic_category().message(error));
}

} // namespace

std::string parent_of(const std::string& path) {
    const std::string parent = fs::path(path).parent_path().string();
    return parent.empty() ? "." : parent;
}

Scratch::Scratch(const std::string& store, const char* name, const char* what)
    : path_(parent_of(store) + '/' + name) {
    for (;;) {
        if (::mkdir(path_.c_str(), 0700) != 0 && errno != EEXIST)
            failed(path_, "cannot be made");
        fd_.reset(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!fd_.valid() && errno == ENOENT) // another process has just finished with it
            continue;
        if (!fd_.valid())
            failed(path_, "cannot be opened");
        if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0)
            stop(Status::unavailable, "another {} is running: try again when it has ended", what);
        struct stat ours {};
        struct stat there {};
        if (::fstat(fd_.get(), &ours) == 0 && ::lstat(path_.c_str(), &there) == 0 &&
            ours.st_ino == there.st_ino)
            break;
    }
    empty();
}

Scratch::~Scratch() {
    empty();
    ::rmdir(path_.c_str());
}

void Scratch::empty() noexcept {
    try {
        std::vector<fs::path> all;
        for (const auto& entry : fs::directory_iterator(path_))
            all.push_back(entry.path());
        std::error_code ignored;
        for (const fs::path& one : all)
            fs::remove_all(one, ignored);
    } catch (const std::exception&) { // what cannot be removed is in the way of nothing but the disk's space
    }
}

MadeDirectories::~MadeDirectories() {
    for (auto it = made_.rbegin(); it != made_.rend(); ++it)
        ::rmdir(it->c_str());
}

void MadeDirectories::need(const std::string& path, mode_t mode) {
    if (::mkdir(path.c_str(), mode) != 0) {
        if (errno != EEXIST)
            failed(path, "cannot be made");
        return;
    }
    made_.push_back(path);
    if (::chmod(path.c_str(), mode) != 0)
        failed(path, "cannot be given its mode");
}

} // namespace gate::ctl::backup
