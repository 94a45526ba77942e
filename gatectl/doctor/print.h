// What the doctor says: to people, in 80 columns, and to programs.
#pragma once

#include "gatectl/doctor/table.h"

#include <string>

namespace gate::ctl::doctor {

[[nodiscard]] std::string text_of(const Diagnosis& diagnosis);
[[nodiscard]] std::string lines_of(const Diagnosis& diagnosis); // without notes
[[nodiscard]] std::string json_of(const Diagnosis& diagnosis);
// What --list prints.
[[nodiscard]] std::string list_text();
[[nodiscard]] std::string list_json();

} // namespace gate::ctl::doctor
