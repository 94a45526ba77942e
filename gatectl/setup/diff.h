// A unified diff of two short texts, as diff -u prints it.
#pragma once

#include <string>

namespace gate::ctl::setup {

// Empty if they are the same. Names as they are to be shown; bytes that are no text are escaped.
[[nodiscard]] std::string unified_diff(const std::string& from_name, const std::string& to_name,
                                       const std::string& from, const std::string& to);

} // namespace gate::ctl::setup
