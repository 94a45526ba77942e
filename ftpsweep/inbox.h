// Upload directories: which there are, what lies in them, and opening an upload. What lies there was put
// there by strangers, who may go on changing it: nothing is believed but what the open descriptor says, no
// link is followed, nothing waits.
#pragma once

#include "lib/base/fd.h"
#include "lib/base/result.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace gate::sweep {

// In each upload directory, the account's own (0700): what has to wait for something else than its turn.
inline constexpr const char* k_held_name = ".held";

struct Place {
    std::string sender;
    std::string directory;
    // What its journal and its staging directory are called: two directories of one sender have two of each.
    std::string id;
};

// The upload directories below that of ftp.directory, by name. Errors: missing, system.
[[nodiscard]] Result<std::vector<Place>> find_places(const std::string& directory);

struct Inbox {
    Fd uploads;
    Fd held;                             // not valid: there is none, and nothing can be held
    std::vector<std::string> names;      // in uploads, sorted
    std::vector<std::string> held_names; // in held, sorted
};

// Opens it and reads the names, so many at most. Errors: missing, not_regular, system.
[[nodiscard]] Result<Inbox> open_inbox(const std::string& directory, std::size_t most_names);

// What tells one upload from another, and from itself after a change.
struct Identity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;       // bytes
    std::int64_t modified_ns = 0; // since the epoch
    std::int64_t changed_ns = 0;  // the inode: nobody can set this one

    bool operator==(const Identity&) const = default;
};
[[nodiscard]] Identity identity_of(const struct stat& st);

struct Upload {
    Fd fd;
    Identity identity;
};

// Errors: missing (it is gone), not_regular (a link, a directory, a FIFO, or it has other names),
// wrong_owner, system.
[[nodiscard]] Result<Upload> open_upload(int directory, const char* name, uid_t owner);
// There is nothing under the name, or what is there is no upload: not an error that may be another one next
// time.
[[nodiscard]] bool is_no_upload(const Error& error);

// Has another process the lock on it that vsftpd holds while it receives (fcntl(2), lock_upload_files)?
// Errors: system.
[[nodiscard]] Result<bool> is_being_received(const Upload& upload);

// All of it into the buffer, and it was the same before and after. Waits for the clock to move on, if it was
// changed just now. Errors: too_large, closed (it changed, or is being received), system.
[[nodiscard]] Result<std::span<const std::byte>> copy(const Upload& upload, std::span<std::byte> buffer);

// The same of a file, as far as its last bytes tell: false also where they are blanks, or cannot be read.
[[nodiscard]] bool ends_like_a_packet(const Upload& upload);
// Does the packet end as agents end theirs? With FTP's stream mode that is the only sign of a whole one.
[[nodiscard]] bool ends_like_a_packet(std::span<const std::byte> content);

} // namespace gate::sweep
