#include "gatectl/doctor/sshd_look.h"

#include "gatectl/doctor/mend.h"
#include "lib/base/text.h"

#include <algorithm>
#include <fmt/format.h>
#include <fnmatch.h>

namespace gate::ctl::doctor {

namespace {

[[nodiscard]] bool fits(const std::string& pattern, const std::string& name) {
    const std::string user = pattern.substr(0, pattern.find('@')); // USER@HOST: from there at least
    return ::fnmatch(user.c_str(), name.c_str(), 0) == 0;
}

[[nodiscard]] std::vector<std::string> values_of(const SshdConfig& config, const std::string& keyword) {
    std::vector<std::string> out;
    if (const auto found = config.effective.find(keyword); found != config.effective.end())
        for (const std::string& value : found->second)
            for (std::string& word : words_of(value))
                out.push_back(std::move(word));
    return out;
}

[[nodiscard]] bool is_member(const Facts& f, const std::string& group) {
    const auto gid = find_gid(f.machine, group);
    return gid && f.account && f.account->in(*gid);
}

} // namespace

const std::string& gate_file(const Facts& f) {
    static const std::string drop_in = k_drop_in, own = k_own_config;
    if (f.sshd.form == Form::own_gate)
        return own;
    if (f.sshd.gate.reads(drop_in))
        return drop_in;
    for (const ConfigLine& line : f.sshd.gate.lines)
        if (line.value.find("/pandora-gate/") != std::string::npos)
            return line.file;
    return drop_in;
}

bool is_overridden(const Facts& f, const std::string& keyword) {
    const std::string& file = gate_file(f);
    const auto& lines = f.sshd.gate.lines;
    const auto own = std::find_if(lines.begin(), lines.end(), [&](const ConfigLine& line) {
        return line.file == file && line.keyword == keyword;
    });
    const std::string value = f.sshd.gate.value(keyword);
    // `+x`, `-x`, `^x` change sshd's own list: what is in force is never the same as what is written.
    if (own != lines.end() && !own->value.empty() &&
        std::string_view("+-^").find(own->value.front()) != std::string_view::npos)
        return false;
    return own != lines.end() && !value.empty() && !same_value(own->value, value);
}

std::string said(const Facts& f, const std::string& spelled) {
    const std::string keyword = lower(spelled), value = f.sshd.gate.value(keyword);
    const ConfigLine* line = f.sshd.gate.line_of(keyword, value);
    if (line == nullptr)
        return fmt::format("{} is {}, which no line of {} sets", spelled,
                           escape_visible(value.empty() ? "not set" : value),
                           f.sshd.form == Form::own_gate ? k_own_config : k_main_config);
    return fmt::format("{} says `{} {}`", line->place(), spelled, escape_visible(line->value));
}

std::string put(const Facts& f, const std::string& line) {
    return fmt::format("put `{}` into {}{}, then systemctl reload {}", line, gate_file(f),
                       f.sshd.form == Form::own_gate ? "" : fmt::format(" below `Match User {}`", f.user()),
                       gate_unit(f));
}

std::string denial(const Facts& f, const SshdConfig& config) {
    for (const std::string& pattern : values_of(config, "denyusers"))
        if (fits(pattern, f.user()))
            return "DenyUsers " + pattern;
    for (const std::string& group : values_of(config, "denygroups"))
        if (is_member(f, group))
            return "DenyGroups " + group;
    const auto users = values_of(config, "allowusers");
    if (!users.empty() &&
        std::none_of(users.begin(), users.end(), [&](const std::string& p) { return fits(p, f.user()); }))
        return "AllowUsers, which does not name it";
    const auto groups = values_of(config, "allowgroups");
    if (!groups.empty() &&
        std::none_of(groups.begin(), groups.end(), [&](const std::string& g) { return is_member(f, g); }))
        return "AllowGroups, which names none of its groups";
    return {};
}

} // namespace gate::ctl::doctor
