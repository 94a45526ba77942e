// Putting a keyring in place: beside the old one, read back by the reader, on the disk, renamed, directory
// synced. The previous generation stays as `<path>.previous`. Root's business; never linked into the login
// path. Two at once are the caller's to keep apart (the store's transaction does): they share `<path>.new`.
#pragma once

#include "lib/keyring/policy.h"
#include "lib/keyring/record.h"

#include <string>
#include <sys/types.h>
#include <vector>

namespace gate::keyring {

// Verifies `fresh` and renames it to `path`. Either the new one is there, whole and verified, or the old one
// still is, and `fresh` is gone. `owner` is who readers will demand. Errors: those of the reader when the
// file does not read back; system, no_space.
[[nodiscard]] Result<void> put_in_place(const std::string& fresh, const std::string& path, uid_t owner);

// Takes a keyring that was published elsewhere: copies the file `from` (a regular file, not a link, of
// `owner` or root, writable by nobody else) and puts the copy in place. Unless `allow_older`, one that is not
// newer than the one that is there is refused, and so is any while that one's generation cannot be read.
// Errors: those of put_in_place; missing, not_regular, wrong_owner, writable (of `from`); denied.
[[nodiscard]] Result<void> install(const std::string& from, const std::string& path, uid_t owner,
                                   bool allow_older);

struct Contents {
    std::uint64_t generation = 1;
    std::int64_t created = 0; // seconds since the epoch
    Policy policy;
    std::vector<KeyRecord> keys; // any order; two with one fingerprint are refused
};

// All in one, for who has the keys in memory. Errors: those of Builder and of put_in_place.
[[nodiscard]] Result<void> publish(const std::string& path, const Contents& contents, uid_t owner = 0);

} // namespace gate::keyring
