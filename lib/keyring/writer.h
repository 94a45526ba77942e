// Building and publishing a keyring: beside the old one, synced, read back by the reader, renamed, directory
// synced. The previous generation stays as `<path>.previous`. Root's business; never linked into the login
// path.
#pragma once

#include "lib/keyring/policy.h"
#include "lib/keyring/record.h"

#include <string>
#include <sys/types.h>
#include <vector>

namespace gate::keyring {

struct Contents {
    std::uint64_t generation = 1;
    std::int64_t created = 0; // seconds since the epoch
    Policy policy;
    std::vector<KeyRecord> keys; // any order; two with one fingerprint are refused
};

// The file's bytes. Errors: bad_input (duplicate fingerprint, incomplete key), too_large.
[[nodiscard]] Result<std::string> build(Contents contents);

// Puts a keyring in place. Either the new one is there, whole and verified, or the old one still is.
// `owner` is who readers will demand. Errors: those of build, system, no_space, and those of the reader when
// the file that was written does not read back.
[[nodiscard]] Result<void> publish(const std::string& path, Contents contents, uid_t owner = 0);

} // namespace gate::keyring
