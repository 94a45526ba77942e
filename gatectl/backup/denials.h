// Deny wins: what is revoked now, or was when the backup was made, is revoked after a restore. The copy of
// the store learns that before it is put in place, so that there is no moment at which it does not know.
#pragma once

#include "gatectl/backup/unpack.h"
#include "gatectl/context.h"
#include "gatectl/publish/present.h"
#include "gatectl/store/store.h"

namespace gate::ctl::backup {

// Changes the archive's copy of the store: revocations of the archive's keyring, of the published one and of
// the present store (may be nullptr), and a generation that is not below any of theirs. Remarks on what the
// restore changes for logins.
void keep_denials(Context& context, const Unpacked& archive, const Present& present, Store* existing);

} // namespace gate::ctl::backup
