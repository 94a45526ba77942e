// Users who send by FTP stand in the store beside the keys: a row of type keyring::k_ftp_type, whose blob
// names the user and which no SSH key can be mistaken for (lib/keyring/ftp_sender.h).
#pragma once

#include "gatectl/keys/public_key.h"
#include "gatectl/store/key.h"

#include <string>
#include <string_view>

namespace gate::ctl {

// nullptr, or what is wrong with it. Wider than useradd: a directory service may know names like `x@y`. What
// would be another directory, another field of passwd or another word of a line is out.
[[nodiscard]] const char* wrong_with_ftp_user(std::string_view name);

[[nodiscard]] bool is_ftp_type(std::string_view type);

// "ftp:bob" -> "bob"; empty for what does not begin so.
[[nodiscard]] std::string_view user_in_name(std::string_view name);

// Type, blob and fingerprint of the user's row. Throws Problem (usage) for what cannot be the name of one.
[[nodiscard]] PublicKey ftp_user_row(const std::string& user);

// Whom a blob of this type names. Throws Problem (bad_data) if it is not exactly what ftp_user_row makes.
[[nodiscard]] std::string_view user_in_blob(std::string_view blob);
// The same of a row of the store; empty if it is a key, or damaged.
[[nodiscard]] std::string user_of(const StoredKey& key);

// May a row of this type and blob be called so? Keys as names.h has it; a user also "ftp:USER", with his own
// name.
[[nodiscard]] bool is_row_id(std::string_view id, std::string_view type, std::string_view blob);

} // namespace gate::ctl
