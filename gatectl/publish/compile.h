// From a row of the store to a record of the keyring, everything in it checked again.
#pragma once

#include "gatectl/store/key.h"

namespace gate::ctl {

// Throws Problem (bad_data) naming the key whose row is not consistent.
[[nodiscard]] keyring::KeyRecord compile(const StoredKey& key);

[[nodiscard]] StoredKey to_stored(const keyring::KeyRecord& record);

} // namespace gate::ctl
