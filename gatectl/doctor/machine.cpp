#include "gatectl/doctor/machine.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/magic.h>
#include <memory>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <sys/wait.h>

namespace gate::ctl::doctor {

namespace {

// `sshd -T` needs milliseconds, and a second where a name service is slow.
constexpr std::int64_t k_patience_ms = 20'000;
constexpr long k_look_again_ns = 2'000'000;

[[nodiscard]] Fd open_file(const std::string& path) {
    Fd fd{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
    struct stat st {};
    if (!fd.valid() || ::fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode))
        return {};
    return fd;
}

// Waits for it, or ends it. -1: it did not end by itself.
[[nodiscard]] int status_of(pid_t child) {
    const std::int64_t end = monotonic_ms() + k_patience_ms;
    int status = 0;
    for (;;) {
        const pid_t got = ::waitpid(child, &status, WNOHANG);
        if (got == child)
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        if (got < 0 && errno != EINTR)
            return -1;
        if (monotonic_ms() > end) {
            ::kill(child, SIGKILL);
            ::waitpid(child, &status, 0);
            return -1;
        }
        const timespec pause{.tv_sec = 0, .tv_nsec = k_look_again_ns};
        ::nanosleep(&pause, nullptr);
    }
}

[[nodiscard]] std::string written_to(int fd) {
    ::lseek(fd, 0, SEEK_SET);
    return read_all(fd, k_max_text).value_or(std::string());
}

} // namespace

std::optional<std::string> Machine::read(const std::string& path) const {
    const Fd fd = open_file(at(path));
    if (!fd.valid())
        return std::nullopt;
    auto text = read_all(fd.get(), k_max_text);
    return text ? std::optional(std::move(*text)) : std::nullopt;
}

std::optional<std::string> Machine::read_end(const std::string& path, std::size_t most) const {
    const Fd fd = open_file(at(path));
    struct stat st {};
    if (!fd.valid() || ::fstat(fd.get(), &st) != 0)
        return std::nullopt;
    const auto size = static_cast<std::size_t>(st.st_size);
    const std::size_t from = size > most ? size - most : 0;
    std::string out(size - from, '\0');
    if (!read_exact_at(fd.get(), std::as_writable_bytes(std::span(out)), from))
        return std::nullopt;
    if (from != 0)
        out.erase(0, std::min(out.find('\n'), out.size() - 1) + 1);
    return out;
}

std::optional<struct stat> Machine::stat(const std::string& path) const {
    struct stat st {};
    if (::stat(at(path).c_str(), &st) != 0)
        return std::nullopt;
    return st;
}

std::optional<struct stat> Machine::lstat(const std::string& path) const {
    struct stat st {};
    if (::lstat(at(path).c_str(), &st) != 0)
        return std::nullopt;
    return st;
}

std::vector<std::string> Machine::list(const std::string& directory) const {
    std::vector<std::string> out;
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(at(directory).c_str()), ::closedir);
    while (const dirent* entry = dir ? ::readdir(dir.get()) : nullptr)
        if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
            out.emplace_back(entry->d_name);
    std::sort(out.begin(), out.end());
    return out;
}

std::vector<std::string> Machine::glob(const std::string& pattern) const {
    std::vector<std::string> out;
    glob_t found{};
    if (::glob(at(pattern).c_str(), 0, nullptr, &found) == 0)
        for (std::size_t i = 0; i < found.gl_pathc; ++i)
            out.emplace_back(found.gl_pathv[i] + root_.size());
    ::globfree(&found);
    return out;
}

std::optional<Space> Machine::space(const std::string& path) const {
    struct statfs fs {};
    if (::statfs(at(path).c_str(), &fs) != 0)
        return std::nullopt;
    const auto block = static_cast<std::uint64_t>(fs.f_bsize);
    return Space{.available = fs.f_bavail * block,
                 .total = fs.f_blocks * block,
                 .memory = fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC};
}

bool Machine::takes_datagrams(const std::string& socket) const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = at(socket);
    if (path.size() >= sizeof address.sun_path)
        return false;
    std::copy(path.begin(), path.end(), address.sun_path);
    const Fd fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    return fd.valid() &&
           ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

bool Machine::runs(pid_t pid) const {
    return pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM);
}

Ran Machine::run(const std::vector<std::string>& argv) const {
    Ran out;
    const Fd out_fd{::memfd_create("stdout", MFD_CLOEXEC)};
    const Fd err_fd{::memfd_create("stderr", MFD_CLOEXEC)};
    if (!is_this_one() || !out_fd.valid() || !err_fd.valid())
        return out;
    std::vector<char*> words;
    for (const std::string& word : argv)
        words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    std::array<std::string, 2> environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
    std::array<char*, 3> variables = {environment[0].data(), environment[1].data(), nullptr};
    posix_spawn_file_actions_t actions{};
    if (::posix_spawn_file_actions_init(&actions) != 0)
        return out;
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, out_fd.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, err_fd.get(), STDERR_FILENO);
    pid_t child = 0;
    const int failed = ::posix_spawn(&child, words[0], &actions, nullptr, words.data(), variables.data());
    ::posix_spawn_file_actions_destroy(&actions);
    if (failed != 0)
        return out;
    out.status = status_of(child);
    out.out = written_to(out_fd.get());
    out.err = written_to(err_fd.get());
    return out;
}

std::int64_t Machine::now() const {
    return wall_clock_us() / 1'000'000;
}

} // namespace gate::ctl::doctor
