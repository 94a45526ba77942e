// What several checks of sshd ask.
#pragma once

#include "gatectl/doctor/facts.h"

#include <string>

namespace gate::ctl::doctor {

// sshd is there, takes its configuration, and the gate is set up in it.
inline constexpr const char* k_needs_sshd =
    "sshd.not_set_up sshd.missing sshd.config sshd.not_included account.missing";

[[nodiscard]] inline bool has_sshd(const Facts& f) {
    return f.sshd.form != Form::none && !f.sshd.gate.effective.empty();
}
// The file with the gate's lines.
[[nodiscard]] const std::string& gate_file(const Facts& f);
// Another file's line is in force in place of the gate's own: what it says is not this check's business.
[[nodiscard]] bool is_overridden(const Facts& f, const std::string& keyword);
// "FILE:LINE says `Keyword value`", or that it is sshd's default.
[[nodiscard]] std::string said(const Facts& f, const std::string& spelled);
// What mends a line of the gate's file.
[[nodiscard]] std::string put(const Facts& f, const std::string& line);
// Which line keeps the account from logging in with this configuration; empty: none.
[[nodiscard]] std::string denial(const Facts& f, const SshdConfig& config);

} // namespace gate::ctl::doctor
