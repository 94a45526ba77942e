// What a protocol front end may ask for: the Dropbox. It knows no protocol, and the front ends know no rule:
// they turn bytes into these calls. One Dropbox serves one session.
#pragma once

#include "lib/spool/reason.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace gate::drop {

using FileId = std::uint32_t;

class Dropbox {
  public:
    Dropbox() = default;
    Dropbox(const Dropbox&) = delete;
    Dropbox& operator=(const Dropbox&) = delete;
    virtual ~Dropbox() = default;

    // May a file of this name (no directory part) and size (bytes, if the client said) be sent? On
    // Reason::none `file` is set. Everything that can be decided before the first byte is decided here.
    [[nodiscard]] virtual spool::Reason begin(std::string_view name, std::optional<std::uint64_t> size,
                                              FileId& file) = 0;
    // Bytes of the file, in any order, overlaps allowed. An error stays: every later call for the file gives
    // it.
    [[nodiscard]] virtual spool::Reason write(FileId file, std::uint64_t offset, std::string_view bytes) = 0;
    // The size of what has arrived: the end of the last byte.
    [[nodiscard]] virtual std::uint64_t size(FileId file) const = 0;
    // Has every byte up to there arrived?
    [[nodiscard]] virtual bool whole(FileId file) const = 0;
    // No file may be larger, bytes.
    [[nodiscard]] virtual std::uint64_t max_size() const = 0;
    // Cuts what has arrived. Larger than size() is refused.
    [[nodiscard]] virtual spool::Reason truncate(FileId file, std::uint64_t size) = 0;
    // The file gets another name, with everything that begin() checks of names.
    [[nodiscard]] virtual spool::Reason rename(FileId file, std::string_view name) = 0;
    // The client says that it is complete. On Reason::none it has been taken for good; the file is closed
    // either way.
    [[nodiscard]] virtual spool::Reason commit(FileId file) = 0;
    // As commit(), for a client that has sent more by now: nullopt = the answer comes later, and settle()
    // waits for it. One at a time; between the two, what the client has sent ahead may be begun, written and
    // aborted.
    [[nodiscard]] virtual std::optional<spool::Reason> commit_ahead(FileId file) { return commit(file); }
    [[nodiscard]] virtual spool::Reason settle() { return spool::Reason::internal; }
    // The file is not wanted any more.
    virtual void abort(FileId file, spool::Reason why) = 0;
    // A refusal that the front end decided itself, for the audit: what was asked for, in the client's words.
    virtual void refused(spool::Reason why, std::string_view request) = 0;
};

// A protocol as a state machine: bytes in; bytes, and calls of the Dropbox, out. No descriptor, no clock, no
// system call; any chunking of the input gives the same result.
class Machine {
  public:
    Machine() = default;
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;
    virtual ~Machine() = default;

    // What the server says first.
    virtual void start(std::string& out) = 0;
    virtual void feed(std::string_view bytes, std::string& out) = 0;
    // The client sends no more.
    virtual void end_of_input(std::string& out) = 0;
    // The session is ended from this side, `why` says why.
    virtual void interrupt(spool::Reason why, std::string& out) = 0;
    // An answer is owed to the client, whose file is being made durable: settle() waits for that. Until then
    // input may be fed, if there is some.
    [[nodiscard]] virtual bool waiting() const { return false; }
    virtual void settle(std::string&) {}
    // No more input is wanted.
    [[nodiscard]] virtual bool finished() const = 0;
    // 0 = everything that was asked for was done.
    [[nodiscard]] virtual int exit_status() const = 0;
};

} // namespace gate::drop
