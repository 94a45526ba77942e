// The table of checks. Each looks at one thing that goes wrong on real machines, and says where it is, why it
// matters and which command mends it. A check is left out when one that it needs has found something: its own
// finding would only be a consequence.
#pragma once

#include "gatectl/doctor/facts.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gate::ctl::doctor {

enum class Severity : std::uint8_t {
    note,    // worth knowing; nothing is wrong
    warning, // it works, but not as it should, or not for long
    error,   // logins or deliveries fail, or the gate lets in what it should not
};

struct Finding {
    std::string_view id;
    Severity severity = Severity::error;
    std::string evidence; // what was seen, with FILE:LINE where there is one; printable
    std::string_view why;
    std::string fix; // a command, or a line and the command after it
};

// Where a check puts what it finds; most find one thing at most.
class Report {
  public:
    void add(std::string evidence, std::string fix) {
        found_.push_back({std::move(evidence), std::move(fix), false});
    }
    // Less than the check's own severity says: it is so on purpose, or could not be looked at.
    void note(std::string evidence, std::string fix) {
        found_.push_back({std::move(evidence), std::move(fix), true});
    }
    struct Found {
        std::string evidence, fix;
        bool is_note = false;
    };
    [[nodiscard]] std::vector<Found>& found() { return found_; }

  private:
    std::vector<Found> found_;
};

struct Check {
    std::string_view id;
    Severity severity;
    std::string_view what;  // for --list: what is found, in a few words
    std::string_view why;   // one sentence
    std::string_view needs; // ids by blanks
    void (*look)(const Facts& facts, Report& report);
};

// By subject; all of them, in the order in which they are run: what a check needs comes before it.
[[nodiscard]] std::span<const Check> account_checks();
[[nodiscard]] std::span<const Check> keyring_checks();
[[nodiscard]] std::span<const Check> helper_checks();
[[nodiscard]] std::span<const Check> sshd_checks();
[[nodiscard]] std::span<const Check> option_checks();
[[nodiscard]] std::span<const Check> gate_checks();
[[nodiscard]] std::span<const Check> pam_checks();
[[nodiscard]] std::span<const Check> spool_checks();
[[nodiscard]] std::span<const Check> ftp_checks();
[[nodiscard]] std::span<const Check> fleet_checks();
[[nodiscard]] std::vector<const Check*> all_checks();

struct Skipped {
    std::string_view id, because;
};
struct Diagnosis {
    std::vector<Finding> findings;
    std::vector<Skipped> skipped;
    std::size_t looked = 0; // checks that were made
};
// `only`: ids that are reported; none: all. What they need is looked at too.
[[nodiscard]] Diagnosis diagnose(const Facts& facts, const std::vector<std::string>& only);

// "note", "warning", "error".
[[nodiscard]] const char* word_of(Severity severity);
// Up to `most` of them, "a, b and 3 more"; printable.
[[nodiscard]] std::string some_of(const std::vector<std::string>& items, std::size_t most = 3);

} // namespace gate::ctl::doctor
