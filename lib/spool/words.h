// Splits a command line into words as a POSIX shell would (POSIX.1-2017, XCU 2.2), without any expansion:
// where a shell would expand, substitute, redirect or start another command, the line is refused instead.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gate::spool {

// Longer than any command line that sends a file: paths of 4 kB and some options.
inline constexpr std::size_t k_max_command = 8 * 1024;
inline constexpr std::size_t k_max_words = 64;

// nullopt: not understood (special characters outside quotes, an open quote, too long, a NUL).
[[nodiscard]] std::optional<std::vector<std::string>> split_words(std::string_view line);

} // namespace gate::spool
