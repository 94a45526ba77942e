// The table of `enrol code --csv`: a first line that names the columns - `agent`, and any of from, expires,
// note - then a line for each code. Several agents, or addresses, stand in one field, separated by `;`.
#pragma once

#include "gatectl/store/enrolment.h"

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace gate::ctl {

struct CodeRow {
    std::size_t line = 0;
    std::vector<std::string> agents;
    std::vector<std::string> from;
    std::string expires;
    std::string note;
};

// Throws Problem.
[[nodiscard]] std::vector<CodeRow> read_code_table(const std::string& file);

// "open", "expired", "used", "cancelled": what a code is at a time.
[[nodiscard]] const char* standing_word(const StoredCode& code, std::int64_t now);
// As doc/json.md has it.
[[nodiscard]] nlohmann::ordered_json to_json(const StoredCode& code, std::int64_t now);

} // namespace gate::ctl
