// gate.toml, read into the policy that the keyring carries. Every setting has a row in one table
// (settings.cpp); what has none is an unknown key. Throws Problem with "FILE:LINE: what is wrong".
#pragma once

#include "lib/keyring/policy.h"

#include <string>
#include <string_view>
#include <sys/types.h>

namespace gate::ctl {

struct Config {
    keyring::Policy policy;
    bool missing = false; // there is no such file: these are the defaults
};

// The file must belong to root or to `owner`, and be writable by nobody else.
// Throws Problem: bad_data, no_permission, io.
[[nodiscard]] Config load_config(const std::string& path, uid_t owner);

// `name` is what messages call the text.
[[nodiscard]] keyring::Policy parse_config(std::string_view text, const std::string& name);

} // namespace gate::ctl
