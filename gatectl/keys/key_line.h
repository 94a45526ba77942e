// One line of an authorized_keys file (sshd(8), AUTHORIZED_KEYS FILE FORMAT), as `keys import` takes it: read
// as sshd reads it, refused where sshd would refuse it, and where a restriction of it could not be kept.
//
// What a key may do is the gate's business: it runs one command, without terminal and forwarding, whatever
// the line says. Such options are dropped, and reported.
#pragma once

#include "gatectl/keys/public_key.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gate::ctl {

struct KeyLine {
    PublicKey key;
    std::vector<std::string> from;    // canonical (network.h); none: anywhere
    std::int64_t expires_at = 0;      // the earliest of the line; 0: never
    bool restricted = false;          // there was `restrict`
    std::vector<std::string> ignored; // options that the gate replaces, lower case, without values, each once
};

// Is there nothing on the line that sshd would look at?
[[nodiscard]] bool is_blank_or_comment(std::string_view line);

// `line` is without its line feed; a carriage return at its end does no harm. Throws Problem (bad_data) with
// one line that says what is wrong; the caller puts file and number of the line before it.
[[nodiscard]] KeyLine parse_key_line(std::string_view line);

} // namespace gate::ctl
