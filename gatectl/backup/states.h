// What sessions know of earlier drops, and the pause: put back where nothing newer is.
#pragma once

#include "gatectl/backup/unpack.h"
#include "gatectl/context.h"

#include <string>
#include <vector>

namespace gate::ctl::backup {

// Files become those of the account of `policy`. What cannot be restored is a remark: sessions go on without.
// Returns what was done, a line each.
[[nodiscard]] std::vector<std::string> restore_memories(Context& context, const Unpacked& archive,
                                                        const keyring::Policy& policy);
[[nodiscard]] std::vector<std::string> restore_pause(Context& context, const Unpacked& archive);

} // namespace gate::ctl::backup
