// Where the store lies: made with the right modes, and refused where somebody else could write it.
#pragma once

#include <string>
#include <sys/types.h>

namespace gate::ctl {

// The directory (0700) and the file (0600) are made if they are missing; the directory above must be there.
// Returns the absolute path. Throws Problem.
[[nodiscard]] std::string prepare_store(const std::string& path, uid_t owner);

// The same without the file: for who puts one there.
[[nodiscard]] std::string prepare_store_directory(const std::string& path, uid_t owner);

// For commands that only look: false if there is no store yet. Throws Problem if it cannot be trusted or
// reached.
[[nodiscard]] bool store_exists(const std::string& path, uid_t owner);

// Throws Problem (unavailable) if there is a keyring, but its store is missing or empty: an empty store that
// was made in its place would be published as a keyring without keys, and end every login.
void demand_not_lost(const std::string& store, const std::string& keyring);

} // namespace gate::ctl
