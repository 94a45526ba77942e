// The audit trail of one session: every event of it carries who and from where.
#pragma once

#include "forcecmd/login.h"
#include "lib/audit/transport.h"
#include "lib/spool/keeper.h"
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

    // From now on the same refusal again and again is told once in audit.repeat_window. `memory` must outlive
    // the object.
    void remember_refusals(spool::Memory& memory) { memory_ = &memory; }

    // A file may come. False: the logger does not know.
    [[nodiscard]] bool begun(const DropFacts& drop);
    // What became of a file that is not refused, and what its packet says of its sender.
    void taken(const DropFacts& drop, const spool::Taken& taken, const spool::Verdict& verdict);
    // drop.quarantined, which is what lies beside the packet as well.
    [[nodiscard]] audit::Line quarantine_line(const DropFacts& drop, const spool::Taken& taken,
                                              const spool::Verdict& verdict) const;
    void ignored(const DropFacts& drop);
    void refused(const DropFacts& drop, spool::Reason why, const Error* cause = nullptr);
    void aborted(const DropFacts& drop, spool::Reason why);
    void request_refused(std::string_view request, spool::Reason why);
    // The spool cannot be used at all; `cause` says why.
    void spool_unusable(const Error& cause);
    // Something that a session shares with others cannot be used.
    void memory_unusable(std::string_view part, const Error& cause);
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
    [[nodiscard]] std::optional<std::uint64_t> may_tell(audit::Event event, std::string_view text,
                                                        spool::Reason why);
    void mismatch(const DropFacts& drop, const spool::Taken& taken, const spool::Verdict& verdict);
    // After this many refusals in a session only the summary counts on: a flood must not become one of the
    // log.
    static constexpr std::uint64_t k_max_refusal_events = 100;

    const Login& login_;
    const std::string fingerprint_;
    const std::int64_t started_ms_;
    audit::Transport transport_;
    std::uint64_t accepted_ = 0;
    std::uint64_t bytes_ = 0;
    std::uint64_t resent_ = 0;
    std::uint64_t quarantined_ = 0;
    std::uint64_t malformed_ = 0;
    std::uint64_t ignored_ = 0;
    std::uint64_t refused_ = 0;
    std::uint64_t aborted_ = 0;
    std::uint64_t untold_ = 0;
    std::uint64_t leftovers_ = 0;
    spool::Memory* memory_ = nullptr;
};

// A login that may not use the sink: the one event there is of it.
void report_refused_login(const Refusal& refusal, const LoginContext& context);

} // namespace gate::drop
