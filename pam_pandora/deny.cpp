#include "pam_pandora/deny.h"

#include "lib/base/file.h"
#include "pam_pandora/options.h"

namespace gate::pam {

namespace {

// The carriage return of a file that was edited elsewhere is no part of a name either.
constexpr std::string_view k_blanks = " \t\r\v\f";
// Nor is what such editors put in front of UTF-8: the first user would not be on the list.
constexpr std::string_view k_mark = "\xEF\xBB\xBF";

std::string_view trimmed(std::string_view line) {
    const std::size_t first = line.find_first_not_of(k_blanks);
    if (first == line.npos)
        return {};
    return line.substr(first, line.find_last_not_of(k_blanks) - first + 1);
}

} // namespace

Result<bool> lists(std::string_view list, std::string_view name, std::string_view other_name) {
    if (list.find('\0') != list.npos)
        return fail(Errc::bad_input, "file holds a NUL byte: it is no list of users");
    if (list.starts_with(k_mark))
        list.remove_prefix(k_mark.size());
    bool listed = false; // a match does not end the reading: a damaged file is an error for everybody
    while (!list.empty()) {
        const std::string_view line = list.substr(0, list.find('\n'));
        list.remove_prefix(line.size() < list.size() ? line.size() + 1 : line.size());
        const std::string_view entry = trimmed(line);
        if (entry.empty() || entry.front() == '#')
            continue;
        if (entry.size() > k_max_name)
            return fail(Errc::bad_input, "file has a line that is too long: it is no list of users");
        listed = listed || entry == name || entry == other_name;
    }
    return listed;
}

Result<bool> file_lists(const std::string& path, std::string_view name, std::string_view other_name) {
    GATE_TRY(const Fd fd, open_trusted(path.c_str(), 0));
    GATE_TRY(const std::string list, read_all(fd.get(), k_max_deny_file));
    return lists(list, name, other_name);
}

} // namespace gate::pam
