// How far a long command is, on the last line of a terminal.
#pragma once

#include <cstdint>

namespace gate::ctl {

class ProgressBar {
  public:
    // Nothing is shown before a command has taken a while, and not more often than the eye follows. `done`
    // and `total` are of the same unit; a total of 0 is not known.
    void show(const char* what, std::uint64_t done, std::uint64_t total);
    // The line is gone again. Before anything else is printed.
    void clear();

  private:
    std::uint64_t calls_ = 0;
    std::int64_t begun_ms_ = 0;
    std::int64_t shown_ms_ = 0;
    bool visible_ = false;
};

// "[#####-----]  50 %".
struct BarText {
    char text[40];
};
[[nodiscard]] BarText bar_text(std::uint64_t done, std::uint64_t total);

} // namespace gate::ctl
