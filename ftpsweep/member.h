// The sender of a pass: its uploads, what the keyring says of it, and what it shares with its other passes
// and with everybody. All that is opened by name is opened here, before the sandbox.
#pragma once

#include "ftpsweep/inbox.h"
#include "ftpsweep/trail.h"
#include "lib/keyring/reader.h"
#include "lib/spool/admission.h"
#include "lib/spool/keeper.h"
#include "lib/spool/ledger.h"

namespace gate::sweep {

struct Member {
    // `owner`: whose files are taken. `spool` must outlive the object.
    Member(Inbox uploads, uid_t their_owner, const keyring::Policy& shared, keyring::KeyRecord record,
           spool::Spool& spool, const spool::StatePaths& state);
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

    // What of the memory, the backlog, ... could not be used.
    void tell_troubles();

    const Inbox inbox;
    const uid_t owner;
    const keyring::KeyRecord key;
    const keyring::Policy policy; // as it is for this sender
    spool::Ledger ledger;
    spool::Admission admission;
    spool::Keeper keeper;
    Trail trail;
};

// What the keyring says of the sender; of one that it does not know, what holds for everybody.
// Errors: truncated, damaged, version, system.
[[nodiscard]] Result<keyring::KeyRecord> find_sender(const keyring::Reader& keyring,
                                                     const std::string& sender);
[[nodiscard]] spool::Sender sender_of(const keyring::KeyRecord& key);

} // namespace gate::sweep
