#include "lib/audit/session_id.h"

#include "lib/base/file.h"
#include "lib/base/text.h"

#include <string_view>

namespace gate::audit {

namespace {

constexpr std::size_t k_max_proc_file = 4096; // a stat line is a few hundred bytes

// Field `wanted` of /proc/PID/stat, counted as in proc(5) from 1; it must stand after the command name (2).
[[nodiscard]] std::string stat_field(pid_t pid, int wanted) {
    std::string path = "/proc/";
    append_i64(path, pid);
    path += "/stat";
    const auto fd = open_regular(path.c_str());
    if (!fd)
        return {};
    const auto content = read_all(fd->get(), k_max_proc_file);
    if (!content)
        return {};
    // The command name may hold anything, parentheses and spaces included: the last ")" ends it.
    const std::size_t name_end = content->rfind(')');
    if (name_end == std::string::npos)
        return {};
    std::string_view rest = std::string_view(*content).substr(name_end + 1);
    for (int field = 3;; ++field) {
        const std::size_t start = rest.find_first_not_of(' ');
        if (start == std::string_view::npos)
            return {};
        rest.remove_prefix(start);
        const std::string_view value = rest.substr(0, rest.find(' '));
        if (field == wanted)
            return std::string(value);
        rest.remove_prefix(value.size());
    }
}

[[nodiscard]] std::string boot_id() {
    const auto fd = open_regular("/proc/sys/kernel/random/boot_id");
    if (!fd)
        return "0";
    auto content = read_all(fd->get(), k_max_proc_file);
    if (!content)
        return "0";
    while (!content->empty() && content->back() == '\n')
        content->pop_back();
    return *content;
}

} // namespace

std::string session_id(pid_t sshd_session_process) {
    std::string out = boot_id();
    out += '-';
    append_i64(out, sshd_session_process);
    out += '-';
    const std::string start = stat_field(sshd_session_process, 22);
    out += start.empty() ? "0" : start;
    return out;
}

pid_t parent_of(pid_t pid) {
    const auto parent = parse_u64(stat_field(pid, 4));
    return parent ? static_cast<pid_t>(*parent) : 0;
}

} // namespace gate::audit
