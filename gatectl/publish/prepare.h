// What sessions need beside the keyring and cannot make for themselves: the directory of their state, the
// pause file, the quarantine and its sum, the upload directories. Made or set right at every publish, by
// root. What cannot be done becomes a remark, never a failure: logins go on without any of it.
#pragma once

#include "gatectl/context.h"
#include "lib/keyring/policy.h"

namespace gate::ctl {

// The policy is the one that was just published. Also remarks on what is wrong with the account, and purges
// what is older than quarantine.max_age. Throws nothing but bad_alloc.
void prepare(Context& context, const keyring::Policy& policy);

} // namespace gate::ctl
