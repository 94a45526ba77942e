// How keys are shown to people.
#pragma once

#include "gatectl/store/key.h"
#include "lib/keyring/policy.h"

#include <string>
#include <string_view>

namespace gate::ctl {

// What stands for the agents of a key that has none.
[[nodiscard]] const char* unbound_words(const keyring::Policy& policy);
// The first agent, and how many more; printable.
[[nodiscard]] std::string agents_cell(const StoredKey& key, const char* unbound);
// As keys.types has it: "ed25519", "ecdsa", "rsa", "sk-ed25519", "sk-ecdsa"; or "ftp-user".
[[nodiscard]] std::string_view type_word(std::string_view type);

} // namespace gate::ctl
