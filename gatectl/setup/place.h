// The machine's files, below one root: "" is the machine itself, anything else a tree that a test made, in
// which owners are only remembered. What is read here is root's, or is looked at and never followed.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace gate::ctl::setup {

// What stands at a path.
struct PathState {
    enum class Kind { absent, file, directory, link, other };
    Kind kind = Kind::absent;
    std::string content{}; // of a file; the target of a link
    mode_t mode = 0;       // of a file or directory
    uid_t uid = 0;
    gid_t gid = 0;

    bool operator==(const PathState&) const = default;
};

class Place {
  public:
    explicit Place(std::string root = {}) : root_(std::move(root)) {}
    virtual ~Place() = default;
    [[nodiscard]] std::string real(const std::string& path) const { return root_ + path; }
    [[nodiscard]] bool is_machine() const { return root_.empty(); }

    // Follows nothing at the last component. Throws Problem (io) for what cannot be read or is too large.
    [[nodiscard]] PathState look(const std::string& path) const { return look(path, true); }
    [[nodiscard]] PathState look_outside(const std::string& path) const {
        return look(path, false);
    }                                                         // no text
    [[nodiscard]] bool exists(const std::string& path) const; // follows links
    // A file's text, through links; nullopt: it is not there or cannot be read.
    [[nodiscard]] std::optional<std::string> text(const std::string& path) const;
    // Names in a directory, sorted, without "." and ".."; none if there is no such directory.
    [[nodiscard]] std::vector<std::string> names(const std::string& path) const;
    [[nodiscard]] std::optional<dev_t> volume(const std::string& path) const;
    // The first of the usual directories that has the program; empty: none has.
    [[nodiscard]] std::string program(const std::string& name) const;

    // Makes it so, whatever is there: files and links are made beside it and renamed. A directory is never
    // removed unless it is empty. Throws Problem (io). The one place that a fault can be put in.
    virtual void put(const std::string& path, const PathState& state);
    // With the directories above it, which become 0755 root.
    void put_private(const std::string& path, const std::string& content, mode_t mode = 0600);
    void make_private_directory(const std::string& path); // 0700, with what is above it
    void remove_tree(const std::string& path);            // setup's own

  private:
    [[nodiscard]] PathState look(const std::string& path, bool inside) const;
    void own(const std::string& path, const PathState& state, int fd);

    std::string root_;
    std::map<std::string, std::pair<uid_t, gid_t>> owners_{}; // in a test's tree
};

} // namespace gate::ctl::setup
