// What was tried, and what came of it.
#pragma once

#include "gatectl/keys/json.h"

#include <string>
#include <vector>

namespace gate::ctl {

enum class TryResult : std::uint8_t {
    refused,
    succeeded, // it was possible: a hole
    untried,   // nobody knows: a program is missing, the server did not answer
    accepted,  // what has to be possible was
    lost,      // it was not
};

struct Tried {
    std::string name{};
    std::string what{}; // in words
    TryResult result = TryResult::refused;
    std::string note{}; // printable; may be empty
};

struct ProbeReport {
    std::string target{}; // printable
    std::vector<Tried> tries{};
    std::vector<std::string> left_behind{}; // what could not be taken away again; printable
    bool interrupted = false;               // the rest was not tried
};

[[nodiscard]] const char* word_of(TryResult result);
// As `probe` documents it.
[[nodiscard]] int exit_status(const ProbeReport& report);
[[nodiscard]] std::string to_text(const ProbeReport& report, std::size_t columns);
[[nodiscard]] Json to_json(const ProbeReport& report);

} // namespace gate::ctl
