// A program run by its absolute path with arguments and an environment of our own: no shell, nothing of the
// caller's environment, a deadline, and a cap on what is kept of its output. `explain` runs authkeys so, and
// `probe` OpenSSH's clients, whose output a stranger may have chosen.
#pragma once

#include "lib/base/fd.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace gate::ctl {

// What is kept of each stream: more than any answer that is looked at. What comes beyond it is thrown away.
inline constexpr std::size_t k_max_output = 256 * 1024;

struct ChildRequest {
    std::vector<std::string> argv; // the first is the program's path
    std::vector<std::string> environment{};
    std::string input{}; // all that comes on its standard input
    struct Identity {
        uid_t uid;
        gid_t gid; // and no other group
    };
    std::optional<Identity> as{}; // nullopt: as whom we run
    bool holds_input = false;     // standard input stays open behind `input`
};

class Child {
  public:
    // Throws Problem (io) if there is no process to be had. A program that cannot be run ends with status
    // 127.
    explicit Child(const ChildRequest& request);
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child(); // ends it, and whatever it started, by force

    // Passes bytes on until it has ended, the condition holds, or the time is over. True: ended, or holds.
    bool wait(int timeout_ms, const std::function<bool(const Child&)>& until = {});

    [[nodiscard]] bool ended() const { return status_ >= 0; }
    // Once it has ended: its exit status, or 128 and the signal.
    [[nodiscard]] int status() const { return status_; }
    [[nodiscard]] const std::string& out() const { return out_; }
    [[nodiscard]] const std::string& err() const { return err_; }

  private:
    void pass_input();
    [[nodiscard]] bool take_output(Fd& from, std::string& into) const;
    void look_for_end();
    void pass_bytes(int wait_ms);

    pid_t pid_ = -1;
    int status_ = -1;
    std::string input_;
    bool holds_input_;
    Fd in_fd_;
    Fd out_fd_;
    Fd err_fd_;
    std::string out_;
    std::string err_;
};

struct Ran {
    bool in_time = false;
    int status = -1; // as Child::status(), if it ended in time
    std::string out{};
    std::string err{};
};
[[nodiscard]] Ran run_program(const ChildRequest& request, int timeout_ms);

} // namespace gate::ctl
