// The private directory (0700) in which a backup is put together and a restore is unpacked: beside the store,
// never in /tmp. One at a time; what a killed one left behind is removed by the next.
#pragma once

#include "lib/base/fd.h"

#include <string>
#include <sys/types.h>
#include <vector>

namespace gate::ctl::backup {

class Scratch {
  public:
    // `name`: of the directory, in the store's. Throws Problem; refused if another process is at it.
    Scratch(const std::string& store, const char* name, const char* what);
    ~Scratch();
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    [[nodiscard]] std::string operator/(std::string_view name) const {
        return path_ + '/' + std::string(name);
    }

  private:
    void empty() noexcept;
    std::string path_;
    Fd fd_; // holds the lock
};

// Directories that have to be there, made (0755) where they are not. What is still empty at the end goes
// again, so that what fails or only looks leaves nothing.
class MadeDirectories {
  public:
    MadeDirectories() = default;
    ~MadeDirectories();
    MadeDirectories(const MadeDirectories&) = delete;
    MadeDirectories& operator=(const MadeDirectories&) = delete;
    void need(const std::string& path, mode_t mode = 0755);

  private:
    std::vector<std::string> made_;
};

[[nodiscard]] std::string parent_of(const std::string& path);

} // namespace gate::ctl::backup
