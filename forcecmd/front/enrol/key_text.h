// What a client sends for an authorized_keys file: exactly one line of a public key, and nothing else but
// blank lines and comments. Whether it is a key at all, and one that may be let in, the enrolment service
// says.
#pragma once

#include "lib/spool/reason.h"

#include <cstddef>
#include <expected>
#include <string_view>

namespace gate::drop::enrol {

// Nobody's one key with its comments is as long: a line of an RSA key of 16,384 bits has 2.8 kB.
inline constexpr std::size_t k_max_key_text = 64 * 1024;

// The line, without its end and the blanks around it. Errors: enrol_no_key, enrol_many_keys, enrol_large,
// enrol_bytes (a control byte; a line may end in CR LF).
[[nodiscard]] std::expected<std::string_view, spool::Reason> only_key(std::string_view text);

} // namespace gate::drop::enrol
