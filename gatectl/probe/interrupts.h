// Ctrl-C, or the end of the terminal, between two tries: what was made there is still taken away.
#pragma once

#include <array>
#include <csignal>

namespace gate::ctl {

// While it lives, SIGINT, SIGTERM and SIGHUP are only remembered; one that is ignored stays so.
class Interrupts {
  public:
    Interrupts();
    Interrupts(const Interrupts&) = delete;
    Interrupts& operator=(const Interrupts&) = delete;
    ~Interrupts();

  private:
    std::array<struct sigaction, 3> before_{};
};

[[nodiscard]] bool interrupted();

} // namespace gate::ctl
