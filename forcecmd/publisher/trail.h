// The audit trail of one session: every event of it carries who and from where.
#pragma once

#include "forcecmd/login.h"
#include "lib/audit/transport.h"
#include "lib/spool/reason.h"

#include <string>
#include <string_view>

namespace gate::drop {

struct DropFacts {
    std::string_view file; // as the client named it
    std::uint64_t bytes = 0;
    std::int64_t started_ms = 0; // monotonic
};

class Trail {
  public:
    // `login` must outlive the object.
    explicit Trail(const Login& login);

    void accepted(const DropFacts& drop, std::string_view published_name, std::string_view sha256_hex);
    void ignored(const DropFacts& drop);
    void refused(const DropFacts& drop, spool::Reason why, const Error* cause = nullptr);
    void aborted(const DropFacts& drop, spool::Reason why);
    void request_refused(std::string_view request, spool::Reason why);
    // The spool cannot be used at all; `cause` says why.
    void spool_unusable(const Error& cause);
    // The kernel lacks a part of the sandbox: which Landlock (its ABI) it has.
    void sandbox_weaker(std::uint64_t landlock);
    // The sandbox cannot be set up: nothing was read from the client.
    void sandbox_unusable(const Error& cause);
    // The front did what it never does: it may have been taken over. `number` is the signal it died of, if it
    // did.
    void breach(std::string_view what, int number = 0);
    // The descriptor of the way to the logger; -1 without one.
    [[nodiscard]] int log() const { return transport_.fd(); }
    void leftovers_removed(std::uint64_t count) { leftovers_ = count; }
    void summary(int status, bool interrupted);

    [[nodiscard]] std::uint64_t problems() const { return refused_ + aborted_; }

  private:
    [[nodiscard]] audit::Line line(audit::Event event) const;
    [[nodiscard]] audit::Line drop_line(audit::Event event, const DropFacts& drop) const;
    // After this many refusals in a session only the summary counts on: a flood must not become one of the
    // log.
    static constexpr std::uint64_t k_max_refusal_events = 100;

    const Login& login_;
    const std::string fingerprint_;
    const std::int64_t started_ms_;
    audit::Transport transport_;
    std::uint64_t accepted_ = 0;
    std::uint64_t bytes_ = 0;
    std::uint64_t ignored_ = 0;
    std::uint64_t refused_ = 0;
    std::uint64_t aborted_ = 0;
    std::uint64_t leftovers_ = 0;
};

// A login that may not use the sink: the one event there is of it.
void report_refused_login(const Refusal& refusal, const LoginContext& context);

} // namespace gate::drop
