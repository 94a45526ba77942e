// A keyring that is ahead of the store: a publish was interrupted between the two, or the store comes from an
// older backup. The rule is "deny wins": what the keyring has revoked stays revoked; a key that only the
// keyring knows as active is not taken over.
#pragma once

#include "gatectl/context.h"
#include "gatectl/publish/present.h"
#include "gatectl/store/store.h"

namespace gate::ctl {

// Takes over the revocations, inside the caller's transaction; true if the store was changed. Says what it
// did, and which active keys the next publish drops, in context.remarks.
bool reconcile(Context& context, Store& store, const Present& present);

// Takes one revocation over, which was found in `where`: what the store knows of the key stays as it is but
// for that. False: the store has it revoked already.
bool adopt_revocation(const Context& context, Store& store, StoredKey theirs, const char* where);

} // namespace gate::ctl
