// The values of gate.toml: sizes, times, modes, paths, names. Strict: what is not exactly of the documented
// form is not a value. nullopt means that; ranges are settings.cpp's business.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace gate::ctl {

// "64 MB", "1MiB": digits, at most one space, kB MB GB TB (powers of 1000) or KiB MiB GiB TiB. Bytes.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);
// "90s", "10 min", "1h", "30d". Seconds.
[[nodiscard]] std::optional<std::uint64_t> parse_time(std::string_view text);
// "0660" or "660": three or four octal digits.
[[nodiscard]] std::optional<std::uint32_t> parse_mode(std::string_view text);
// Absolute, not "/", without empty, "." or ".." components, trailing slash and control characters.
[[nodiscard]] bool is_clean_directory(std::string_view path);
// What useradd and groupadd take: letters, digits, `_`, `.`, `-`; not all digits, no leading `-` or `.`.
[[nodiscard]] bool is_account_name(std::string_view name);
// Is `path` the directory `above`, or anywhere below it? Both are clean.
[[nodiscard]] bool is_same_or_below(std::string_view path, std::string_view above);

} // namespace gate::ctl
