// The audit trail of one session: every event of it carries who and from where.
#pragma once

#include "forcecmd/login.h"
#include "lib/spool/drop_trail.h"

#include <string_view>

namespace gate::drop {

using spool::DropFacts;

class Trail : public spool::DropTrail {
  public:
    explicit Trail(const Login& login);

    void refused(const DropFacts& drop, spool::Reason why, const Error* cause = nullptr);
    void aborted(const DropFacts& drop, spool::Reason why);
    void request_refused(std::string_view request, spool::Reason why);
    // The sandbox cannot be set up: nothing was read from the client.
    void sandbox_unusable(const Error& cause);
    void leftovers_removed(std::uint64_t count) { leftovers_ = count; }
    void summary(int status, bool interrupted);

    [[nodiscard]] std::uint64_t problems() const { return refused_ + aborted_; }

  private:
    // After this many refusals in a session only the summary counts on: a flood must not become one of the
    // log.
    static constexpr std::uint64_t k_max_refusal_events = 100;

    const std::int64_t started_ms_; // monotonic
    std::uint64_t refused_ = 0;
    std::uint64_t aborted_ = 0;
    std::uint64_t leftovers_ = 0;
};

// A login that may not use the sink: the one event there is of it.
void report_refused_login(const Refusal& refusal, const LoginContext& context);

} // namespace gate::drop
