#include "lib/spool/name.h"

namespace gate::spool {

namespace {

constexpr std::string_view k_data = ".data";
constexpr std::string_view k_checksum = ".checksum";

[[nodiscard]] bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// `<agent>[._]<digits>`: the agent, or nothing.
[[nodiscard]] std::string_view agent_of(std::string_view stem) {
    std::size_t digits = 0;
    while (digits < stem.size() && is_digit(stem[stem.size() - 1 - digits]))
        ++digits;
    if (digits == 0 || digits + 1 >= stem.size())
        return {};
    const char separator = stem[stem.size() - 1 - digits];
    if (separator != '.' && separator != '_')
        return {};
    return stem.substr(0, stem.size() - digits - 1);
}

} // namespace

Reason check_plain_name(std::string_view name) {
    if (name.empty() || name.front() == '.' || name.front() == '-')
        return Reason::name_form;
    if (name.size() > k_max_name)
        return Reason::name_length;
    for (const char c : name) {
        const auto u = static_cast<unsigned char>(c);
        if (c == '/')
            return Reason::name_path;
        if (u < 0x20 || u == 0x7f)
            return Reason::name_byte;
    }
    return Reason::none;
}

Reason parse_file_name(std::string_view name, FileName& out) {
    if (const Reason reason = check_plain_name(name); reason != Reason::none)
        return reason;
    if (name.ends_with(".conf") || name.ends_with(".md5"))
        return Reason::name_remote_config;
    const bool checksum = name.ends_with(k_checksum);
    if (!checksum && !name.ends_with(k_data))
        return Reason::name_form;
    const std::string_view agent =
        agent_of(name.substr(0, name.size() - (checksum ? k_checksum : k_data).size()));
    if (agent.empty())
        return Reason::name_form;
    out.kind = checksum ? FileName::Kind::checksum : FileName::Kind::packet;
    out.agent = agent;
    return Reason::none;
}

std::string extend_digits(std::string_view name, unsigned suffix) {
    std::string out(name.substr(0, name.size() - k_data.size()));
    std::string digits = std::to_string(suffix % 1'000'000);
    out.append(k_extra_digits - digits.size(), '0');
    out += digits;
    out += k_data;
    return out;
}

} // namespace gate::spool
