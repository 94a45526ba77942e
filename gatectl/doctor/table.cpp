#include "gatectl/doctor/table.h"

#include "lib/base/text.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace gate::ctl::doctor {

namespace {

// What was found, or left out because of that: id -> the cause.
using Causes = std::map<std::string_view, std::string_view>;

[[nodiscard]] std::string_view cause_of(const Check& check, const Causes& causes) {
    for (std::string_view rest = check.needs; !rest.empty();) {
        const std::string_view id = rest.substr(0, rest.find(' '));
        rest.remove_prefix(std::min(rest.size(), id.size() + 1));
        if (const auto found = causes.find(id); found != causes.end())
            return found->second;
    }
    return {};
}

} // namespace

std::vector<const Check*> all_checks() {
    std::vector<const Check*> out;
    for (const auto part :
         {account_checks(), keyring_checks(), helper_checks(), sshd_checks(), option_checks(), gate_checks(),
          pam_checks(), spool_checks(), ftp_checks(), fleet_checks()})
        for (const Check& check : part)
            out.push_back(&check);
    return out;
}

Diagnosis diagnose(const Facts& facts, const std::vector<std::string>& only) {
    Diagnosis out;
    Causes causes;
    for (const Check* check : all_checks()) {
        const bool asked = only.empty() || std::find(only.begin(), only.end(), check->id) != only.end();
        if (const std::string_view cause = cause_of(*check, causes); !cause.empty()) {
            causes.emplace(check->id, cause);
            if (asked)
                out.skipped.push_back({check->id, cause});
            continue;
        }
        Report report;
        check->look(facts, report);
        out.looked += asked ? 1 : 0;
        if (!report.found().empty())
            causes.emplace(check->id, check->id);
        for (Report::Found& found : report.found())
            if (asked)
                out.findings.push_back({check->id, found.is_note ? Severity::note : check->severity,
                                        std::move(found.evidence), check->why, std::move(found.fix)});
    }
    return out;
}

const char* word_of(Severity severity) {
    switch (severity) {
    case Severity::note:
        return "note";
    case Severity::warning:
        return "warning";
    case Severity::error:
        break;
    }
    return "error";
}

std::string some_of(const std::vector<std::string>& items, std::size_t most) {
    std::string out;
    for (std::size_t i = 0; i < items.size() && i < most; ++i)
        out += (i == 0 ? "" : ", ") + escape_visible(items[i], 100);
    return items.size() > most ? out + fmt::format(" and {} more", items.size() - most) : out;
}

} // namespace gate::ctl::doctor
