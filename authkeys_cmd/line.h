// The one line that sshd reads (sshd(8), AUTHORIZED_KEYS FILE FORMAT).
#pragma once

#include "lib/base/result.h"
#include "lib/keyring/record.h"

#include <string>
#include <string_view>

namespace gate::authkeys {

// `restrict <type> <base64> <key id>\n`. Nothing in it is copied from the keyring unchecked: the type is one
// of a list, the blob's own embedded type must be the same, base64 is made here, and the key id holds
// letters, digits, '.', '_' and '-' only. So CR, LF, NUL, blanks and quotes cannot be in it. Errors:
// bad_input.
[[nodiscard]] Result<std::string> compose_line(const keyring::KeyRecord& key);

[[nodiscard]] bool known_type(std::string_view type);
[[nodiscard]] bool plain_id(std::string_view id);

} // namespace gate::authkeys
