// The keyring as the login path reads it. Trusts nothing in the file before its checksum was verified; reads
// by pread, so that a file cut short under it is an error and not a SIGBUS; allocates only from lengths that
// a verified page or header gave, under caps. Takes no lock, parses no text.
#pragma once

#include "lib/base/fd.h"
#include "lib/keyring/entries.h"
#include "lib/keyring/format.h"
#include "lib/keyring/policy.h"
#include "lib/keyring/record.h"

#include <memory>
#include <optional>
#include <string_view>
#include <sys/types.h>
#include <type_traits>
#include <vector>

namespace gate::keyring {

inline constexpr const char* k_default_path = GATE_STATEDIR "/keyring";

class Reader {
  public:
    // The file must be a regular file of `owner` (root in production) that nobody else may write.
    // Errors: missing, not_regular, wrong_owner, writable, truncated, damaged, version, system.
    [[nodiscard]] static Result<Reader> open(const char* path, uid_t owner = 0);

    // The same for a file that the caller has opened and found to be one that may be believed.
    [[nodiscard]] static Result<Reader> of(Fd fd);

    // nullopt is a proven miss: the page that would hold the fingerprint was verified and does not.
    // Errors: truncated, damaged, version, system. An error is never to be read as "no such key".
    [[nodiscard]] Result<std::optional<KeyRecord>> find(const Fingerprint& fingerprint) const;

    [[nodiscard]] Result<Policy> policy() const;
    [[nodiscard]] const Header& header() const { return header_; }

    // Every page, record and bound; used before a keyring is put in place, not at a login. Each record is
    // shown, once it was checked, in the order of the file; what was shown counts only if all is well in the
    // end. Memory: 64 bytes a key, 80 for a moment.
    struct Stored {
        const Fingerprint& fingerprint;
        std::string_view payload; // decode_record() will not refuse it
        KeyState state;
    };
    template<class Show>
    [[nodiscard]] Result<void> each(Show&& show) const {
        return walk([](void* to,
                       const Stored& stored) { (*static_cast<std::remove_reference_t<Show>*>(to))(stored); },
                    std::addressof(show));
    }
    // The same, and every record taken apart for the callback, if there is one.
    using Visitor = void (*)(void* context, const KeyRecord& record);
    [[nodiscard]] Result<void> verify(Visitor visitor = nullptr, void* context = nullptr) const;

    // Waits until all of the file is on the disk.
    [[nodiscard]] Result<void> sync() const;
    [[nodiscard]] int fd() const { return fd_.get(); }

  private:
    Reader(Fd fd, const Header& header) : fd_(std::move(fd)), header_(header) {}
    [[nodiscard]] Result<void> check_layout() const;
    [[nodiscard]] Result<void> load_page(std::uint64_t number, Page& page) const;
    [[nodiscard]] Result<void> check_place(const Entry& entry) const;
    [[nodiscard]] Result<KeyRecord> load_record(const Entry& entry) const;
    // In verify.cpp.
    [[nodiscard]] Result<void> walk(void (*show)(void* context, const Stored& stored), void* context) const;
    [[nodiscard]] Result<Entries> load_index() const;
    // Where the last directory entry (== last page) is; the directory has this index plus one entries.
    [[nodiscard]] std::uint64_t directory_last() const { return std::uint64_t{1} << header_.directory_bits; }

    Fd fd_;
    Header header_;
};

} // namespace gate::keyring
