// The events of files in the audit trail, whoever takes them: every one says who sent it, and from where if
// that is known.
#pragma once

#include "lib/audit/transport.h"
#include "lib/spool/keeper.h"
#include "lib/spool/memory.h"
#include "lib/spool/reason.h"

#include <optional>
#include <string>
#include <string_view>

namespace gate::spool {

struct DropFacts {
    std::string_view file; // as the client named it
    std::uint64_t bytes = 0;
    std::int64_t started_ms = 0; // monotonic
};

struct Sender {
    std::string session;
    std::string key; // id
    std::string fingerprint;
    std::string peer; // address; empty: nobody knows
};

void add_reason(audit::Line& line, Reason why);
void add_cause(audit::Line& line, const Error& cause);

class DropTrail {
  public:
    explicit DropTrail(Sender sender) : sender_(std::move(sender)) {}

    // From now on the same refusal again and again is told once in audit.repeat_window. `memory` must outlive
    // the object.
    void remember_refusals(Memory& memory) { memory_ = &memory; }

    // A file may come. False: the logger does not know.
    [[nodiscard]] bool begun(const DropFacts& drop);
    // What became of a file that is not refused, and what its packet says of its sender.
    void taken(const DropFacts& drop, const Taken& taken, const Verdict& verdict);
    // drop.quarantined, which is what lies beside the packet as well.
    [[nodiscard]] audit::Line quarantine_line(const DropFacts& drop, const Taken& taken,
                                              const Verdict& verdict) const;
    void ignored(const DropFacts& drop);
    // The spool cannot be used at all; `cause` says why.
    void spool_unusable(const keyring::Policy& policy, const Error& cause);
    // Something that senders share cannot be used.
    void memory_unusable(std::string_view part, const Error& cause);
    // The kernel lacks a part of the sandbox: which Landlock (its ABI) it has.
    void sandbox_weaker(std::uint64_t landlock);
    // `process` did what it never does: it may have been taken over. `number` is the signal it died of, if it
    // did.
    void breach(std::string_view process, std::string_view what, int number = 0);
    // The descriptor of the way to the logger; -1 without one.
    [[nodiscard]] int log() const { return transport_.fd(); }

  protected:
    // An event with the sender in it, and one with the file.
    [[nodiscard]] audit::Line line(audit::Event event) const;
    [[nodiscard]] audit::Line drop_line(audit::Event event, const DropFacts& drop) const;
    // An event about a file that was not taken, with the reason; not again and again (may_tell).
    void tell_reason(audit::Event event, const DropFacts& drop, Reason why, const Error* cause);
    bool send(audit::Line&& line) { return transport_.send(std::move(line)); }
    // How often this has not been told since the last time; nullopt: it need not be told again now.
    [[nodiscard]] std::optional<std::uint64_t> may_tell(audit::Event event, std::string_view text,
                                                        Reason why);

    struct Counts {
        std::uint64_t accepted = 0;
        std::uint64_t bytes = 0; // of those
        std::uint64_t resent = 0;
        std::uint64_t quarantined = 0;
        std::uint64_t malformed = 0;
        std::uint64_t ignored = 0;
        std::uint64_t untold = 0;
    };
    [[nodiscard]] const Counts& counts() const { return counts_; }

  private:
    void mismatch(const DropFacts& drop, const Taken& taken, const Verdict& verdict);

    const Sender sender_;
    audit::Transport transport_;
    Counts counts_;
    Memory* memory_ = nullptr;
};

} // namespace gate::spool
