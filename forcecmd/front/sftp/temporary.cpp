#include "forcecmd/front/sftp/temporary.h"

#include "lib/spool/name.h"

#include <algorithm>
#include <array>

namespace gate::drop::sftp {

namespace {

[[nodiscard]] bool is_packet(std::string_view name) {
    spool::FileName parsed;
    return spool::parse_file_name(name, parsed) == spool::Reason::none &&
           parsed.kind == spool::FileName::Kind::packet;
}

[[nodiscard]] bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// NAME(123) -> NAME
[[nodiscard]] std::string_view without_number(std::string_view name) {
    if (!name.ends_with(')'))
        return name;
    const std::size_t open = name.rfind('(');
    if (open == std::string_view::npos)
        return name;
    const std::string_view digits = name.substr(open + 1, name.size() - open - 2);
    const bool number =
        !digits.empty() && std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
    return number ? name.substr(0, open) : name;
}

// .NAME.AbC123 -> NAME
[[nodiscard]] std::string_view without_mkstemp(std::string_view name) {
    constexpr std::size_t k_random = 6;
    if (name.size() < k_random + 3 || name.front() != '.' || name[name.size() - k_random - 1] != '.' ||
        !std::ranges::all_of(name.substr(name.size() - k_random), is_alphanumeric))
        return {};
    return name.substr(1, name.size() - k_random - 2);
}

} // namespace

std::optional<std::string_view> final_name(std::string_view temporary) {
    constexpr std::array<std::string_view, 4> k_suffixes = {".filepart", ".part", ".partial", ".tmp"};
    constexpr std::string_view k_lftp = ".in.";
    std::string_view name;
    if (const auto suffix = std::ranges::find_if(k_suffixes, [&](auto s) { return temporary.ends_with(s); });
        suffix != k_suffixes.end())
        name = without_number(temporary.substr(0, temporary.size() - suffix->size()));
    else if (temporary.starts_with(k_lftp))
        name = temporary.substr(k_lftp.size());
    else
        name = without_mkstemp(temporary);
    return is_packet(name) ? std::optional(name) : std::nullopt;
}

} // namespace gate::drop::sftp
