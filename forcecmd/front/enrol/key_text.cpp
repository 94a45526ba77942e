#include "forcecmd/front/enrol/key_text.h"

#include "lib/enrol/message.h"

#include <algorithm>

namespace gate::drop::enrol {

namespace {

using spool::Reason;

constexpr std::string_view k_blanks = " \t";

[[nodiscard]] std::string_view trimmed(std::string_view line) {
    const std::size_t first = line.find_first_not_of(k_blanks);
    if (first == std::string_view::npos)
        return {};
    return line.substr(first, line.find_last_not_of(k_blanks) + 1 - first);
}

// As lib/enrol/message.h has it.
[[nodiscard]] bool in_line(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

// Takes a line off the text, without its end, LF or CR LF.
[[nodiscard]] std::string_view take_line(std::string_view& text) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r'))
        line.remove_suffix(1);
    return line;
}

} // namespace

std::expected<std::string_view, Reason> only_key(std::string_view text) {
    if (text.size() > k_max_key_text)
        return std::unexpected(Reason::enrol_large);
    std::string_view found;
    while (!text.empty()) {
        const std::string_view line = trimmed(take_line(text));
        if (line.empty() || line.front() == '#')
            continue;
        // The first line of a private key, or of a public one in another format: the others are no keys
        // either.
        if (line.starts_with("----"))
            return std::unexpected(Reason::enrol_no_key);
        if (!found.empty())
            return std::unexpected(Reason::enrol_many_keys);
        found = line;
    }
    if (found.empty())
        return std::unexpected(Reason::enrol_no_key);
    if (found.size() > gate::enrol::k_max_line)
        return std::unexpected(Reason::enrol_large);
    if (!std::ranges::all_of(found, in_line))
        return std::unexpected(Reason::enrol_bytes);
    return found;
}

} // namespace gate::drop::enrol
