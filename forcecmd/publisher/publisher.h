// The publisher: the process that decides by the policy and alone can create files. It hears requests of the
// front, which it does not trust, and serves them through Intake.
#pragma once

#include "forcecmd/channel.h"
#include "forcecmd/confine.h"
#include "forcecmd/publisher/intake.h"
#include "forcecmd/publisher/trail.h"

#include <optional>

namespace gate::drop {

class Publisher {
  public:
    // Opens all that it will need. `login` and `fs` must outlive the object; `front` is the other process, a
    // child.
    Publisher(Channel channel, const Login& login, Fs& fs, pid_t front);

    // Gives up everything else for good (confine.h), and tells the audit how much of that this kernel can do.
    // False: it could not be done, the audit was told, and the front has been ended.
    [[nodiscard]] bool confine();
    // Serves until the front is gone, says goodbye, breaks the protocol, or a signal came. Ends the front.
    // Returns the session's exit status.
    [[nodiscard]] int serve();

  private:
    // False when the session is over.
    [[nodiscard]] bool wait_for_request();
    [[nodiscard]] bool handle(const Received& received);
    [[nodiscard]] bool answer(spool::Reason reason);
    [[nodiscard]] bool finish(spool::Reason reason, const Request& request);
    [[nodiscard]] bool grant();
    void grant_ahead(const Request& request);
    void end_front();
    [[nodiscard]] PublisherParts parts() const;

    const Login& login_;
    Fs& fs_;
    const pid_t front_;
    Channel channel_;
    const std::int64_t deadline_ms_; // monotonic
    Trail trail_;
    Intake intake_;
    std::optional<int> status_; // what the front said at its end
    bool interrupted_ = false;
};

} // namespace gate::drop
