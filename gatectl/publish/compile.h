// From a row of the store to a record of the keyring, everything in it checked again.
#pragma once

#include "gatectl/store/login_row.h"

namespace gate::ctl {

// Throws Problem (bad_data) naming the key whose row is not consistent.
[[nodiscard]] keyring::KeyRecord compile(const StoredKey& key);
// The same into a record whose room is kept; after a Problem it is anything.
void compile(const LoginRow& row, keyring::KeyRecord& record);

[[nodiscard]] StoredKey to_stored(const keyring::KeyRecord& record);

} // namespace gate::ctl
