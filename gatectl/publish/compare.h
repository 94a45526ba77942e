// Two keyrings held against each other, without their records in memory.
#pragma once

#include "gatectl/publish/build.h"
#include "gatectl/publish/change.h"

namespace gate::ctl {

// Which file it is: two with the same mark have the same header.
[[nodiscard]] std::string mark_of(const keyring::Reader& reader);
[[nodiscard]] std::string mark_of(const std::string& keyring, uid_t owner); // empty if it cannot be read

// How the keys of `fresh` differ from those of `before`; nullopt if either cannot be read whole. Memory: 80
// bytes a key.
[[nodiscard]] std::optional<Published::Keys> compare(const keyring::Reader& before, const std::string& fresh,
                                                     uid_t owner);

// Its tombstones, as a change of others.
[[nodiscard]] Changes revocations_of(const Present& present);

} // namespace gate::ctl
