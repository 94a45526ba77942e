#include "ftpsweep/member.h"

#include "lib/audit/session_id.h"
#include "lib/keyring/ftp_sender.h"

#include <unistd.h>

namespace gate::sweep {

Member::Member(Inbox uploads, uid_t their_owner, const keyring::Policy& shared, keyring::KeyRecord record,
               spool::Spool& spool, const spool::StatePaths& state)
    : inbox(std::move(uploads)), owner(their_owner), key(std::move(record)),
      policy(keyring::for_key(shared, key.limits)),
      ledger(policy, key.fingerprint, spool, state, ::geteuid()), admission(policy, key),
      keeper(policy, key, spool, ledger), trail(sender_of(key)) {
    trail.remember_refusals(ledger.memory());
    tell_troubles();
}

void Member::tell_troubles() {
    for (const auto& trouble : ledger.take_troubles())
        trail.memory_unusable(trouble.part, trouble.cause);
}

Result<keyring::KeyRecord> find_sender(const keyring::Reader& keyring, const std::string& sender) {
    keyring::KeyRecord unbound = keyring::ftp_sender(sender);
    GATE_TRY(auto found, keyring.find(unbound.fingerprint));
    return found ? std::move(*found) : std::move(unbound);
}

spool::Sender sender_of(const keyring::KeyRecord& key) {
    return {.session = audit::session_id(::getpid()),
            .key = key.id,
            .fingerprint = keyring::format_fingerprint(key.fingerprint),
            .peer = {}};
}

} // namespace gate::sweep
