// What `explain` has found out, decision by decision, and how it is printed.
#pragma once

#include "gatectl/keys/json.h"
#include "lib/spool/reason.h"

#include <string>
#include <string_view>
#include <vector>

namespace gate::ctl {

enum class Outcome : std::uint8_t {
    passed,      // nothing against it: the next one is asked
    let_in,      // the end of a login that wants nothing yet
    taken,       // the end: the file, or the request, is taken
    quarantined, // the end: taken from the client, but not into data_in
    refused,     // the end
};
[[nodiscard]] const char* word_of(Outcome outcome);

struct Step {
    std::string who;  // "sshd", "authkeys", "pam", "drop"
    std::string what; // printable
    Outcome outcome = Outcome::passed;
    std::string rule{}; // empty if nothing is against it
    std::string remedy{};
};

struct Walk {
    std::string user, key, fingerprint, address, service; // printable; key: its id, empty: unknown
    std::vector<Step> steps{};

    void pass(std::string who, std::string what) { steps.push_back({std::move(who), std::move(what)}); }
    void end(Step step) { steps.push_back(std::move(step)); }
    void refuse(spool::Reason reason, std::string what);
    [[nodiscard]] bool ended() const { return !steps.empty() && steps.back().outcome != Outcome::passed; }
};

// A line a step, and one for what would change a refusal. `columns`: places in a line; 0: as many as needed.
[[nodiscard]] std::string to_text(const Walk& walk, std::size_t columns);
[[nodiscard]] Json to_json(const Walk& walk);

// Broken between words, so that no line is longer than `columns` if that can be had; later lines begin with
// `indent` blanks.
[[nodiscard]] std::string fold(std::string_view text, std::size_t columns, std::size_t indent);

} // namespace gate::ctl
