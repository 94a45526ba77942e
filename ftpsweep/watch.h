// Knows when there is something to do, and starts a process for it: the only part of the sweep that lives
// on. It reads no upload and no name of one.
#pragma once

#include "ftpsweep/pass.h"
#include "lib/base/fd.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace gate::sweep {

// Which uploads, by which rules: what a keyring says.
struct Duty {
    keyring::Reader keyring;
    keyring::Policy policy;
    std::vector<Place> places;
    uid_t owner = 0;
    std::string parent; // where new places appear; empty: there will be none
};

// A process for one pass, and its end. What died of a signal has failed.
[[nodiscard]] PassStatus start_pass(const Duty& duty, const Place& place, bool tell);

class Watch {
  public:
    // Errors: system.
    [[nodiscard]] static Result<Watch> start(const std::string& keyring_directory);

    // Passes over all places that are due, then waits for the next event.
    void serve(const Duty& duty);

  private:
    explicit Watch(Fd inotify) : inotify_(std::move(inotify)) {}
    void look_for_changes(const Duty& duty);
    void wait(const Duty& duty);
    void hear();

    struct State {
        std::int64_t due_ms = 0; // monotonic
        bool failed = false;
    };
    Fd inotify_;
    std::map<int, std::string> watched_;  // watch descriptor -> directory
    std::map<std::string, State> states_; // by directory
};

} // namespace gate::sweep
