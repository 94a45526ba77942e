// From the store's rows to the keyring's records, every row checked again.
#pragma once

#include "gatectl/store/store.h"
#include "lib/keyring/record.h"

#include <vector>

namespace gate::ctl {

// Throws Problem (bad_data) naming the key whose row is not consistent.
[[nodiscard]] std::vector<keyring::KeyRecord> compile(const std::vector<StoredKey>& keys);

[[nodiscard]] StoredKey to_stored(const keyring::KeyRecord& record);

} // namespace gate::ctl
