// What a dropped file may be called: `<agent>[._]<digits>.data`, the names that the Pandora server takes from
// data_in (it matches ^.*[\._]\d+\.data$, and parses dotfiles too).
#pragma once

#include "lib/spool/reason.h"

#include <string>
#include <string_view>

namespace gate::spool {

// Digits may be added to make a name unique, and the server appends `_BADXML`: both must fit into NAME_MAX.
inline constexpr std::size_t k_max_name = 240;
inline constexpr std::size_t k_extra_digits = 6;

struct FileName {
    enum class Kind {
        packet,   // to be published
        checksum, // sent by shell agents before their packet; nobody reads it: taken and thrown away
    };
    Kind kind = Kind::packet;
    std::string_view agent; // into the text that was parsed
};

// Bytes 0x20-0x7E and 0x80-0xFF, no '/', no leading '.' or '-', within k_max_name: what may stand for a file
// of this session at all, final name or temporary one. Reason::none if so.
[[nodiscard]] Reason check_plain_name(std::string_view name);

// Reason::none and `out`, or why the name is no name of a drop.
[[nodiscard]] Reason parse_file_name(std::string_view name, FileName& out);

// The name with `suffix` (0-999999) as six more digits: another name of the same agent.
[[nodiscard]] std::string extend_digits(std::string_view name, unsigned suffix);

} // namespace gate::spool
