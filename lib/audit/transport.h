// The way of an audit line to the system's logger: one unconnected datagram socket, sendto /dev/log, never
// blocking for long. Not syslog(3): glibc answers a restarted logger with a new socket, which a sandbox
// kills, and its state is the process's, which a PAM module must not touch.
#pragma once

#include "lib/audit/line.h"
#include "lib/base/fd.h"

#include <cstdint>

namespace gate::audit {

inline constexpr const char* k_ident = "pandora-gate";

class Transport {
  public:
    // Never fails: without a socket every line counts as lost. Reads the time zone, so: before a sandbox.
    Transport();

    // From now on to this logger only, and none that is started later: so that a sandbox can see that the
    // socket speaks to nobody else.
    void connect();

    // True if the logger has it. What could not be sent is counted and told ("lost":N) with the next line
    // that gets through. Waits at most k_patience_ms for a logger whose queue is full (Linux holds 11
    // datagrams).
    bool send(Line&& line);

    [[nodiscard]] std::uint64_t lost() const { return lost_; }
    [[nodiscard]] int fd() const { return socket_.get(); }

  private:
    [[nodiscard]] std::string frame(std::string_view json) const;

    Fd socket_;
    bool connected_ = false;
    std::int64_t utc_offset_ = 0; // seconds
    std::uint64_t lost_ = 0;
};

} // namespace gate::audit
