// A directory of our own for the time of a probe, with what lies in it.
#pragma once

#include <string>
#include <string_view>

namespace gate::ctl {

class ScratchDirectory {
  public:
    ScratchDirectory(); // throws Problem (cant_create)
    ScratchDirectory(const ScratchDirectory&) = delete;
    ScratchDirectory& operator=(const ScratchDirectory&) = delete;
    ~ScratchDirectory();

    [[nodiscard]] std::string operator/(std::string_view name) const {
        return path_ + '/' + std::string(name);
    }
    // Throws Problem (io).
    [[nodiscard]] std::string write(std::string_view name, std::string_view bytes) const;

  private:
    std::string path_;
};

// "7f3a90c2": so that what a probe makes has nobody's name.
[[nodiscard]] std::string random_word();

} // namespace gate::ctl
