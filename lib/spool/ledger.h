// Everything that a session shares with the others of its key and with the administrator: opened in one
// place, before a sandbox, each part for itself. A part that cannot be had is told, and deliveries go on
// without it - but for the quarantine, without which what it should take is refused.
#pragma once

#include "lib/keyring/policy.h"
#include "lib/keyring/record.h"
#include "lib/spool/backlog.h"
#include "lib/spool/memory.h"
#include "lib/spool/pause.h"
#include "lib/spool/quarantine.h"
#include "lib/spool/reason.h"
#include "lib/spool/spool.h"
#include "lib/spool/state.h"

#include <optional>
#include <vector>

namespace gate::spool {

class Ledger {
  public:
    // `policy` must outlive the object. `owner`: the account, whose files these are; the pause file is root's
    // or its own.
    Ledger(const keyring::Policy& policy, const keyring::Fingerprint& key, const Spool& spool,
           const StatePaths& paths, uid_t owner);

    // May a file of this size (bytes, if it is known) be begun now? `open_files` of this session have been
    // let in and count, though they are not delivered.
    [[nodiscard]] Reason check(std::optional<std::uint64_t> size, std::uint64_t open_files);

    struct Trouble {
        const char* part; // "memory", "backlog", "pause", "quarantine"
        Error cause;
    };
    // What could not be used, each once.
    [[nodiscard]] std::vector<Trouble> take_troubles();

    [[nodiscard]] Memory& memory() { return memory_; }
    [[nodiscard]] Backlog& backlog() { return backlog_; }
    [[nodiscard]] Result<Quarantine>& quarantine() { return quarantine_; }
    [[nodiscard]] const Result<Quarantine>& quarantine() const { return quarantine_; }
    // Descriptors that are read and written after this: none but these.
    [[nodiscard]] std::vector<int> descriptors() const;

  private:
    void open_pause(const std::string& path, uid_t owner);
    [[nodiscard]] bool paused() const;

    const keyring::Policy& policy_;
    std::vector<Trouble> troubles_;
    Memory memory_;
    Backlog backlog_;
    Fd pause_;
    Result<Quarantine> quarantine_;
};

} // namespace gate::spool
