// The key a login was made with: what sshd says of it (SSH_AUTH_INFO_0) and what the keyring knows of it.
#pragma once

#include "lib/keyring/record.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gate::pam {

struct AuthInfo {
    std::string methods; // "publickey", "publickey,password"; empty if the service does not tell
    unsigned keys = 0;   // how many of them are "publickey"
    std::optional<keyring::Fingerprint> fingerprint; // of the first public key
};

// SSH_AUTH_INFO_0 as OpenSSH writes it (auth2.c, auth2_update_session_info): a line for each method that
// succeeded, "<method>" or "publickey <type> <base64>". A key that does not decode has no fingerprint.
[[nodiscard]] AuthInfo parse_auth_info(std::string_view text);

struct KnownKey {
    bool good = false;      // found, and may be used now: nothing else makes it true
    std::string id;         // empty: not in the keyring, or the keyring could not be read
    const char* state = ""; // "active", "unknown", else the word of keyring::describe(Standing); empty if
                            // the keyring could not be read
    std::uint64_t generation = 0; // 0: the keyring could not be opened
    std::string trouble;          // why the keyring could not be read; empty if it could
    bool may_rotate = false;      // good, and the policy lets keys be rotated by their agents
};

[[nodiscard]] KnownKey look_up_key(const std::string& keyring_path,
                                   const std::optional<keyring::Fingerprint>& key,
                                   bool ask_for_rotation = false);

} // namespace gate::pam
