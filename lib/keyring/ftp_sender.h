// Who sends by FTP: users, not keys. So that one record, one memory and one audit serve both, such a user
// stands in the keyring like a key, under a fingerprint that no SSH key can have: the blob of a key begins
// with its type (RFC 4253 section 6.6), and there is none that is called k_ftp_type.
//
// Needs libcrypto, so it is apart from record.h: authkeys links none.
#pragma once

#include "lib/keyring/record.h"

#include <string>
#include <string_view>

namespace gate::keyring {

inline constexpr std::string_view k_ftp_type = "ftp-user";
inline constexpr std::string_view k_ftp_prefix = "ftp:";

// The record of a user whom nobody has bound to an agent: active, id "ftp:USER", no agents. A keyring may
// hold another one under the same fingerprint, which then counts.
[[nodiscard]] KeyRecord ftp_sender(std::string_view user);

} // namespace gate::keyring
