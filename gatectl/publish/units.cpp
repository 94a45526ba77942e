#include "gatectl/publish/units.h"

#include "lib/base/text.h"

#include <algorithm>
#include <limits>
#include <span>

namespace gate::ctl {

namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

constexpr Unit k_sizes[] = {
    {"kB", 1000},
    {"MB", 1000 * 1000},
    {"GB", 1000 * 1000 * 1000},
    {"TB", std::uint64_t{1000} * 1000 * 1000 * 1000},
    {"KiB", 1024},
    {"MiB", 1024 * 1024},
    {"GiB", 1024 * 1024 * 1024},
    {"TiB", std::uint64_t{1024} * 1024 * 1024 * 1024},
};
constexpr Unit k_times[] = {{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 24 * 3600}};

[[nodiscard]] bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

[[nodiscard]] std::optional<std::uint64_t> with_unit(std::string_view text, std::span<const Unit> units) {
    const auto digits =
        static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
    const auto number = parse_u64(text.substr(0, digits));
    std::string_view name = text.substr(digits);
    if (name.starts_with(' '))
        name.remove_prefix(1);
    const auto unit =
        std::find_if(units.begin(), units.end(), [name](const Unit& u) { return u.name == name; });
    if (!number || unit == units.end() || *number > std::numeric_limits<std::uint64_t>::max() / unit->factor)
        return std::nullopt;
    return *number * unit->factor;
}

} // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
    return with_unit(text, k_sizes);
}

std::optional<std::uint64_t> parse_time(std::string_view text) {
    return with_unit(text, k_times);
}

std::optional<std::uint32_t> parse_mode(std::string_view text) {
    if (text.size() < 3 || text.size() > 4)
        return std::nullopt;
    std::uint32_t mode = 0;
    for (const char c : text) {
        if (c < '0' || c > '7')
            return std::nullopt;
        mode = mode * 8 + static_cast<std::uint32_t>(c - '0');
    }
    return mode;
}

bool is_clean_directory(std::string_view path) {
    constexpr std::size_t k_max_path = 2048; // names of packets and /proc/self/fd fit behind it
    if (path.size() < 2 || path.size() > k_max_path || path.front() != '/')
        return false;
    if (std::any_of(path.begin(), path.end(), [](char c) {
            const auto u = static_cast<unsigned char>(c);
            return u < 0x20 || u == 0x7f;
        }))
        return false;
    while (!path.empty()) {
        path.remove_prefix(1);
        const std::string_view part = path.substr(0, path.find('/'));
        if (part.empty() || part == "." || part == "..")
            return false;
        path.remove_prefix(part.size());
    }
    return true;
}

bool is_account_name(std::string_view name) {
    constexpr std::size_t k_max_name = 32;
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '.' ||
               c == '-';
    };
    return !name.empty() && name.size() <= k_max_name && name.front() != '-' && name.front() != '.' &&
           std::all_of(name.begin(), name.end(), allowed) && !std::all_of(name.begin(), name.end(), is_digit);
}

bool is_same_or_below(std::string_view path, std::string_view above) {
    return path == above || (path.starts_with(above) && path.substr(above.size()).starts_with('/'));
}

} // namespace gate::ctl
