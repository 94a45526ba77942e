// Which services have to hear of a change, and how; and that they run as before when it is taken back.
#pragma once

#include "gatectl/setup/machine.h"
#include "gatectl/setup/step.h"

#include <functional>
#include <set>
#include <string>
#include <vector>

namespace gate::ctl::setup {

inline constexpr const char* k_own_unit = "pandora-gate-sshd.service";

// Arguments of systemctl, in this order: {"reload", "ssh.service"}.
[[nodiscard]] std::vector<Command> services_before(const std::vector<Step>& steps);
[[nodiscard]] std::vector<Command> services_after(const std::vector<Step>& steps, const Machine& machine);

// Only where systemd runs.
[[nodiscard]] bool is_active(const Place& place, Runner& runner, const std::string& unit);

// The services during one run of setup. Without systemd it does nothing.
class Services {
  public:
    Services(const Place& place, Runner& runner, const Machine& machine, const std::vector<Step>& steps)
        : place_(place), runner_(runner), machine_(machine), steps_(steps) {}

    // Before the first step: what is going to have no unit any more ends. Throws Problem (io).
    void before();
    // After the last one. `own_answers` is called when the gate's own sshd was started, before anything else
    // learns of it, and throws if it does not answer.
    void after(const std::function<void()>& own_answers);
    // Before and after taking the steps back. What fails does not keep the rest from being done: it is
    // returned, in words.
    [[nodiscard]] std::string before_taking_back();
    [[nodiscard]] std::string after_taking_back();

  private:
    void systemctl(const Command& command);
    [[nodiscard]] std::string try_all(const std::vector<Command>& commands);

    const Place& place_;
    Runner& runner_;
    const Machine& machine_;
    const std::vector<Step>& steps_;
    std::set<std::string> ran_{};     // units of ours that ran before anything was changed
    std::set<std::string> stopped_{}; // by this run
    std::vector<Command> begun_{};    // of services_after()
};

} // namespace gate::ctl::setup
