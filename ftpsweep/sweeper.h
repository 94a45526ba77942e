// What becomes of an upload: in data_in, in quarantine, held, or left for later. Decides by the drop policy
// (lib/spool), as a session of drop does; what is its own is how an upload is known to be whole.
#pragma once

#include "ftpsweep/checker.h"
#include "ftpsweep/journal.h"
#include "ftpsweep/member.h"
#include "lib/spool/name.h"

namespace gate::sweep {

// What is left when all has been looked at.
struct Left {
    bool waiting = false; // something is there that may be taken later
    bool soon = false;    // and that will be known in a moment
    bool more = false;    // enough was taken for one pass: not everything has been looked at
};

class Sweeper {
  public:
    // All must outlive the object.
    Sweeper(spool::Spool& spool, Journal& journal, Checker& checker)
        : spool_(spool), journal_(journal), checker_(checker) {}

    // Everything that lies in the directories of this sender. Errors: the pass has to be ended at once,
    // without cleaning up: what is in the journal may be neither taken nor not.
    [[nodiscard]] Result<void> sweep(Member& member);
    [[nodiscard]] const Left& left() const { return left_; }

  private:
    struct Item {
        const std::string& name;
        bool held;
        const Upload& upload;
        std::span<const std::byte> content;
        spool::FileName parsed{};
        DropFacts facts{};
    };
    [[nodiscard]] Result<void> look(Member& member, const std::string& name, bool held);
    [[nodiscard]] bool must_wait(Member& member, const Upload& upload, bool held, const DropFacts& facts);
    [[nodiscard]] Result<void> judge(Member& member, Item& item);
    [[nodiscard]] Result<void> wait_for_end(Member& member, const Item& item);
    [[nodiscard]] Result<void> take(Member& member, const Item& item, spool::Reason put_away);
    [[nodiscard]] spool::Reason admit(Member& member, const Item& item, std::optional<Error>& cause);
    [[nodiscard]] Result<void> keep(Member& member, const Item& item, spool::Reason put_away,
                                    spool::Reservation& reservation);
    [[nodiscard]] Result<void> finish(Member& member, const Item& item);
    void leave(Member& member, const Item& item, spool::Reason why, const Error* cause = nullptr);
    void report_odd(Member& member, const DropFacts& facts, const Error& error);

    spool::Spool& spool_;
    Journal& journal_;
    Checker& checker_;
    bool checker_lost_ = false;
    std::size_t taken_ = 0;
    Left left_;
};

} // namespace gate::sweep
