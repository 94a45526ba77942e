// The enrolment service as drop sees it: one question, one answer, over a socket that is connected before the
// sandbox. What it is, lib/enrol/message.h says.
#pragma once

#include "forcecmd/enrol/trail.h"
#include "forcecmd/front/enrol/desk.h"
#include "lib/base/fd.h"
#include "lib/base/result.h"

#include <sys/types.h>

namespace gate::drop::enrol {

// Connected, with a time limit; whoever listens is `owner`. Errors: missing (nobody listens), wrong_owner,
// system.
[[nodiscard]] Result<Fd> connect_service(const char* path, uid_t owner);

class Service final : public Desk {
  public:
    Service(Fd socket, gate::enrol::Wish wish, Trail& trail)
        : socket_(std::move(socket)), wish_(wish), trail_(trail) {}

    [[nodiscard]] gate::enrol::Reply hand_over(std::string_view line) override;
    void refused(spool::Reason why, std::string_view request) override;

    [[nodiscard]] int fd() const { return socket_.get(); }

  private:
    [[nodiscard]] Result<gate::enrol::Reply> ask(std::string_view line);
    [[nodiscard]] bool wait_for_answer() const;

    Fd socket_;
    const gate::enrol::Wish wish_;
    Trail& trail_;
};

} // namespace gate::drop::enrol
