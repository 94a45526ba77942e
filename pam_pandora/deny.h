// deny=: a list of users who may not pass, in the form of ftpusers(5): a name a line; empty lines, and lines
// that begin with '#', say nothing. The file decides who is kept out, so a file that cannot be trusted or
// read to its end is an error and never an empty list.
#pragma once

#include "lib/base/result.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace gate::pam {

// Read as a whole at each login. 1 MiB holds 100,000 names of ten bytes, more than any machine has accounts;
// a log or a device under that name must not fill the memory of sshd.
inline constexpr std::size_t k_max_deny_file = std::size_t{1024} * 1024;

// Whether one of the two names is a line of the list. Blanks around a line do not count. Errors: bad_input
// (a NUL byte, or a name longer than any: this is not a list of users).
[[nodiscard]] Result<bool> lists(std::string_view list, std::string_view name, std::string_view other_name);

// The same of a file: regular, root's, not reached through a link, not writable by group or others. Errors:
// also missing (there is no such file), and those of open_trusted(); too_large, system.
[[nodiscard]] Result<bool> file_lists(const std::string& path, std::string_view name,
                                      std::string_view other_name);

} // namespace gate::pam
