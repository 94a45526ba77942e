// What logs say of the last hours. Lines in them were partly chosen by strangers: only what sshd itself
// begins a message with is believed, and everything is escaped.
#pragma once

#include "gatectl/doctor/machine.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gate::ctl::doctor {

// "KEY as AGENT", each once, of events since then (seconds) that were refused or only observed.
[[nodiscard]] std::vector<std::string> mismatches(const Machine& machine, const std::string& audit,
                                                  std::int64_t since);
// "192.0.2.1 (no matching key exchange method found)", each once.
[[nodiscard]] std::vector<std::string> failed_key_exchanges(const Machine& machine, const std::string& log,
                                                            std::int64_t since);

// Of a line of syslog: "Nov 24 15:44:45 ..." in local time and without a year, or "2026-11-24T15:44:45...".
// `now` gives the year.
[[nodiscard]] std::optional<std::int64_t> time_of_line(std::string_view line, std::int64_t now);

} // namespace gate::ctl::doctor
