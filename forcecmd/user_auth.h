// The file that SSH_USER_AUTH names (sshd_config(5), ExposeAuthInfo): one line a method that succeeded,
// "publickey <type> <base64>" for a key. sshd wrote it; it is parsed strictly all the same.
#pragma once

#include "lib/base/result.h"

#include <string>
#include <string_view>

namespace gate::drop {

struct AuthKey {
    std::string type;
    std::string blob; // wire format
};

// The key of a login by exactly one public key. Errors: bad_input (no such line, several, or a malformed
// one).
[[nodiscard]] Result<AuthKey> parse_user_auth(std::string_view content);
// A login without any key, by what was typed: password, keyboard-interactive. Every other way to log in, and
// anything that begins like a key, is none.
[[nodiscard]] bool is_password_login(std::string_view content);

} // namespace gate::drop
