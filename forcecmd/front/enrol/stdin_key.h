// A key on stdin, until its end: what ssh-copy-id sends, and what `rotate` reads. Bytes in; calls of the
// Desk, and words for the client's stderr, out.
#pragma once

#include "forcecmd/front/dropbox.h"
#include "forcecmd/front/enrol/desk.h"

#include <string>

namespace gate::drop::enrol {

class StdinKey final : public Machine {
  public:
    // `what`: the client's command, for the audit.
    StdinKey(Desk& desk, std::string_view what) : desk_(desk), what_(what) {}

    void start(std::string&) override {}
    void feed(std::string_view bytes, std::string& out) override;
    void end_of_input(std::string& out) override;
    void interrupt(spool::Reason why, std::string& out) override;
    [[nodiscard]] bool finished() const override { return finished_; }
    // 0: the key was let in, or waits for the administrator.
    [[nodiscard]] int exit_status() const override { return status_; }

  private:
    void refuse(spool::Reason why, std::string& out);

    Desk& desk_;
    const std::string what_;
    std::string text_;
    bool finished_ = false;
    int status_ = 1;
};

} // namespace gate::drop::enrol
