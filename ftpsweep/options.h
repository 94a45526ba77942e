// The command line of sweep(8).
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>

namespace gate::sweep {

// The inbox of a receiver that is not our vsftpd.
struct OtherInbox {
    std::string directory; // absolute
    std::string owner;     // user whose files are taken
    std::string sender;    // as whom: what `ftp:` stands before
};

struct Options {
    bool once = false;
    std::optional<OtherInbox> inbox; // in place of the upload directories of ftp.directory
};

// Or what is wrong with it, for a person.
[[nodiscard]] std::expected<Options, std::string> parse_options(std::span<char* const> words);

// A name of a user: one component of a path, none that hides or climbs.
[[nodiscard]] bool is_sender_name(std::string_view name);

} // namespace gate::sweep
