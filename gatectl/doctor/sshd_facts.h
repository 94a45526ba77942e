// What sshd was told: the lines of its configuration with every Include in its place, and what sshd itself
// makes of them for the account (sshd -T). Keywords are lower-case here: 9.2 prints them so, 10.5 in mixed
// case.
#pragma once

#include "gatectl/doctor/machine.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gate::ctl::doctor {

inline constexpr const char* k_sshd = "/usr/sbin/sshd";
inline constexpr const char* k_main_config = "/etc/ssh/sshd_config";
inline constexpr const char* k_drop_in = "/etc/ssh/sshd_config.d/00-pandora-gate.conf";
inline constexpr const char* k_own_config = GATE_SYSCONFDIR "/sshd_config";

struct ConfigLine {
    std::string file;
    std::size_t line = 0;
    std::string keyword; // lower-case
    std::string value;   // without quotes around it
    std::string match;   // of the block that it stands in; empty: none

    [[nodiscard]] std::string place() const { return file + ':' + std::to_string(line); }
};

struct SshdConfig {
    std::vector<ConfigLine> lines; // in the order in which sshd reads them
    std::vector<std::string> files;
    std::map<std::string, std::vector<std::string>> effective; // keyword -> values
    std::string wrong;                                         // what sshd said; empty: it takes it

    // Its first value; empty: sshd does not print it.
    [[nodiscard]] std::string value(const std::string& keyword) const;
    [[nodiscard]] bool reads(std::string_view file) const;
    // The first line that gives the keyword this value.
    [[nodiscard]] const ConfigLine* line_of(std::string_view keyword, std::string_view value) const;
};

enum class Form : std::uint8_t { none, drop_in, own_gate };

struct SshdFacts {
    bool installed = false;
    unsigned major = 0, minor = 0; // of its version; 0.0: it did not say
    Form form = Form::none;
    SshdConfig gate; // the configuration that agents meet
    SshdConfig main; // the administrators'; of the drop-in form the same

    [[nodiscard]] bool older_than(unsigned a, unsigned b) const {
        return major != 0 && (major < a || (major == a && minor < b));
    }
};

[[nodiscard]] SshdFacts look_at_sshd(const Machine& machine, const std::string& account);

// Case and blanks make no difference.
[[nodiscard]] bool same_value(std::string_view a, std::string_view b);
[[nodiscard]] std::string lower(std::string_view text);
[[nodiscard]] std::vector<std::string> words_of(std::string_view text);

} // namespace gate::ctl::doctor
