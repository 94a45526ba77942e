// The machine as the doctor looks at it: one seam for files, file systems and other programs, so that checks
// can be tried on a tree that a test made. It only looks; nothing here writes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <sys/types.h>
#include <vector>

namespace gate::ctl::doctor {

// Configuration files are some kB; this only bounds what a wrong path can cost.
inline constexpr std::size_t k_max_text = 4 << 20;

struct Ran {
    int status = -1; // -1: it could not be run, or did not end in time
    std::string out, err;
};

struct Space {
    std::uint64_t available = 0, total = 0; // bytes
    bool memory = false;                    // a tmpfs or ramfs
};

class Machine {
  public:
    // Every path is taken below `root` ("" is the machine itself).
    explicit Machine(std::string root = {}) : root_(std::move(root)) {}
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;
    virtual ~Machine() = default;
    // As the kernel of this machine has it: for who opens it by himself.
    [[nodiscard]] virtual std::string at(std::string_view path) const { return root_ + std::string(path); }
    [[nodiscard]] bool is_this_one() const { return root_.empty(); }

    // nullopt: not there, not a regular file, or not readable.
    [[nodiscard]] std::optional<std::string> read(const std::string& path) const;
    // Only the last `most` bytes, from the beginning of a line.
    [[nodiscard]] std::optional<std::string> read_end(const std::string& path, std::size_t most) const;
    [[nodiscard]] bool exists(const std::string& path) const { return stat(path).has_value(); }
    // Links are followed. nullopt: there is nothing.
    [[nodiscard]] virtual std::optional<struct stat> stat(const std::string& path) const;
    // What stands there itself: a link is a link.
    [[nodiscard]] virtual std::optional<struct stat> lstat(const std::string& path) const;
    // Names, sorted, without "." and "..".
    [[nodiscard]] std::vector<std::string> list(const std::string& directory) const;
    // Paths, sorted, as glob(3) has them.
    [[nodiscard]] std::vector<std::string> glob(const std::string& pattern) const;
    [[nodiscard]] virtual std::optional<Space> space(const std::string& path) const;
    // Does somebody take datagrams there?
    [[nodiscard]] virtual bool takes_datagrams(const std::string& socket) const;
    // Is there a process of this number?
    [[nodiscard]] virtual bool runs(pid_t pid) const;
    // Of another root nothing is run. argv[0] is an absolute path; with an environment of its own, no shell,
    // nothing on stdin.
    [[nodiscard]] virtual Ran run(const std::vector<std::string>& argv) const;
    [[nodiscard]] virtual std::int64_t now() const; // seconds since the epoch

  private:
    std::string root_;
};

} // namespace gate::ctl::doctor
