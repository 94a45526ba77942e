// What makes a crash harmless: before an upload is taken, its staged copy has a name, and this file says
// which upload that name is of. Taking moves the staged copy away, in one system call. So, after a crash: the
// name is there - nothing was taken; it is gone - it was, and the upload has only to be removed.
#pragma once

#include "ftpsweep/inbox.h"

#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace gate::sweep {

struct Taking {
    std::string name;          // of the upload
    bool held = false;         // it lies in k_held_name
    std::string staged;        // name in the staging directory of the sweep
    std::uint64_t staging = 0; // which one: staging_mark()
    Identity identity;
};

// Tells a staging directory from the one that settings, a new disk or a restored backup put in its place:
// where nothing is, nothing has been taken.
[[nodiscard]] std::uint64_t staging_mark(const std::string& path, const struct stat& st);

class Journal {
  public:
    // Made where it is missing; locked as long as the object lives, so there is one sweep at a time. Waits at
    // most `patience_ms` for another one. `durable`: what was begun survives a power cut.
    // Errors: closed (another sweep has it), those of open_shared.
    [[nodiscard]] static Result<Journal> open(int directory, const std::string& name, uid_t owner,
                                              int patience_ms, bool durable);

    // What a crashed sweep was taking. A damaged entry is none: it was being written, so nothing had been
    // taken, or all had been done.
    [[nodiscard]] Result<std::optional<Taking>> read() const;
    // From now on the upload counts as taken when its staged name is gone. Errors: system, no_space.
    [[nodiscard]] Result<void> begin(const Taking& taking);
    // Nothing is being taken.
    [[nodiscard]] Result<void> end();
    [[nodiscard]] int fd() const { return fd_.get(); }

  private:
    Journal(Fd fd, bool durable) : fd_(std::move(fd)), durable_(durable) {}

    Fd fd_;
    bool durable_;
};

} // namespace gate::sweep
