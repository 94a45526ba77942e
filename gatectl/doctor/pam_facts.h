// A PAM service as libpam would read it: its lines in their order, with what they include in its place.
#pragma once

#include "gatectl/doctor/machine.h"

#include <string>
#include <string_view>
#include <vector>

namespace gate::ctl::doctor {

struct PamLine {
    std::string file;
    std::size_t line = 0;
    std::string kind;    // "auth", "account", "session", "password"
    std::string control; // "requisite", "[success=1 default=ignore]"
    std::string module;  // as it is written
    std::vector<std::string> arguments;
    int depth = 0; // how many includes it stands in

    [[nodiscard]] std::string place() const { return file + ':' + std::to_string(line); }
    [[nodiscard]] bool has(std::string_view argument) const;
    // Of "name=value"; empty: there is none.
    [[nodiscard]] std::string argument(std::string_view name) const;
    // A line of ours that judges logins: not the one of `services=`.
    [[nodiscard]] bool is_gate() const;
};

struct PamFacts {
    std::string service; // "sshd", "pandora-sshd"
    bool exists = false;
    std::vector<PamLine> lines;
    std::vector<std::string> module_directories; // where libpam looks, of those that are there

    [[nodiscard]] std::vector<const PamLine*> of_kind(std::string_view kind) const;
    [[nodiscard]] const PamLine* gate_line(std::string_view kind) const; // the first; nullptr: none
    [[nodiscard]] bool enrols() const;                                   // its auth phase takes codes
};

[[nodiscard]] PamFacts look_at_pam(const Machine& machine, const std::string& service);

// What may end its phase, or jump over what comes behind it. `distance`: of the line that is asked for.
[[nodiscard]] bool may_end_or_jump(const PamLine& line, std::size_t distance);

} // namespace gate::ctl::doctor
