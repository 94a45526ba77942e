// The enrolment service as drop sees it: one question, one answer, over a socket that is made before the
// sandbox and connected when there is something to ask, so that nobody holds the service who has nothing to
// say. What it is, lib/enrol/message.h says.
#pragma once

#include "forcecmd/enrol/trail.h"
#include "forcecmd/front/enrol/desk.h"
#include "lib/base/fd.h"
#include "lib/base/result.h"

#include <sys/types.h>
#include <sys/un.h>

namespace gate::drop::enrol {

// gate::enrol::k_socket. A constant, so that the sandbox knows it by where it lies.
extern const sockaddr_un k_service;

// What it asks by. Errors: system.
[[nodiscard]] Result<Fd> make_socket();

class Service final : public Desk {
  public:
    // `address` is of the service, whose process is `owner`'s.
    Service(Fd socket, const sockaddr_un& address, uid_t owner, gate::enrol::Wish wish, Trail& trail)
        : socket_(std::move(socket)), address_(address), owner_(owner), wish_(wish), trail_(trail) {}

    [[nodiscard]] gate::enrol::Reply hand_over(std::string_view line) override;
    void refused(spool::Reason why, std::string_view request) override;

    [[nodiscard]] int fd() const { return socket_.get(); }

  private:
    // Errors: missing (nobody listens), wrong_owner, system.
    [[nodiscard]] Result<void> connect() const;
    [[nodiscard]] Result<gate::enrol::Reply> ask(std::string_view line);
    [[nodiscard]] bool wait_for_answer() const;

    Fd socket_;
    const sockaddr_un& address_;
    const uid_t owner_;
    const gate::enrol::Wish wish_;
    Trail& trail_;
};

} // namespace gate::drop::enrol
