// The audit trail of a session that hands a key over: what drop itself refuses. What becomes of the key, the
// enrolment service tells.
#pragma once

#include "forcecmd/login.h"
#include "lib/audit/transport.h"
#include "lib/spool/reason.h"

#include <string>
#include <string_view>

namespace gate::drop::enrol {

// Who is here. Of a login without a key: neither of the two in the middle.
struct Who {
    std::string session;
    std::string key; // id
    std::string fingerprint;
    std::string peer; // address
};

class Trail {
  public:
    // Connects to the logger: before the sandbox.
    explicit Trail(Who who) : who_(std::move(who)) { transport_.connect(); }

    void request_refused(std::string_view request, spool::Reason why);
    // The sandbox cannot be set up: nothing was read from the client.
    void sandbox_unusable(const Error& cause);
    // The descriptor of the way to the logger; -1 without one.
    [[nodiscard]] int log() const { return transport_.fd(); }

  private:
    // A client that enrols is refused a few things at most: a flood must not become one of the log.
    static constexpr unsigned k_max_events = 20;

    [[nodiscard]] audit::Line line(audit::Event event) const;

    const Who who_;
    audit::Transport transport_;
    unsigned told_ = 0;
};

} // namespace gate::drop::enrol
