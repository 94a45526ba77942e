// The publisher: the process that decides by the policy and alone can create files. It hears requests of the
// front, which it does not trust, and serves them through Intake.
#pragma once

#include "forcecmd/channel.h"
#include "forcecmd/publisher/intake.h"
#include "forcecmd/publisher/trail.h"

#include <optional>

namespace gate::drop {

class Publisher {
  public:
    // `login` and `fs` must outlive the object.
    Publisher(Channel channel, const Login& login, Fs& fs);

    // Serves until the front is gone, says goodbye, or a signal came. Returns the session's exit status.
    [[nodiscard]] int serve();

  private:
    // False when the session is over.
    [[nodiscard]] bool wait_for_request();
    [[nodiscard]] bool handle(const Received& received);
    [[nodiscard]] bool answer(spool::Reason reason);
    [[nodiscard]] bool finish(spool::Reason reason);
    void grant();

    Channel channel_;
    const std::int64_t deadline_ms_; // monotonic
    Trail trail_;
    Intake intake_;
    std::optional<int> status_; // what the front said at its end
    bool interrupted_ = false;
};

} // namespace gate::drop
