#include "gatectl/doctor/print.h"

#include "gatectl/store/key.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace gate::ctl::doctor {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t k_columns = 80;
constexpr std::size_t k_indent = 7; // "  why  "

// Broken at blanks; a word that is longer than a line stays whole, to be copied.
[[nodiscard]] std::string wrapped(std::string_view label, std::string_view text) {
    std::string out = fmt::format("  {:<{}}", label, k_indent - 2);
    std::size_t column = k_indent;
    for (std::string_view rest = text; !rest.empty();) {
        const std::string_view word = rest.substr(0, rest.find(' '));
        rest.remove_prefix(std::min(rest.size(), word.size() + 1));
        if (column != k_indent && column + 1 + word.size() > k_columns) {
            out += '\n' + std::string(k_indent, ' ');
            column = k_indent;
        }
        if (column != k_indent) {
            out += ' ';
            ++column;
        }
        out += word;
        column += word.size();
    }
    return out + '\n';
}

[[nodiscard]] std::size_t count(const Diagnosis& diagnosis, Severity severity) {
    return static_cast<std::size_t>(
        std::count_if(diagnosis.findings.begin(), diagnosis.findings.end(),
                      [severity](const Finding& finding) { return finding.severity == severity; }));
}

[[nodiscard]] std::string counted(std::size_t number, const char* one) {
    return fmt::format("{} {}{}", number, one, number == 1 ? "" : "s");
}

[[nodiscard]] std::string summary(const Diagnosis& diagnosis) {
    std::string out = fmt::format("{}, {}, {}", counted(count(diagnosis, Severity::error), "error"),
                                  counted(count(diagnosis, Severity::warning), "warning"),
                                  counted(count(diagnosis, Severity::note), "note"));
    out += fmt::format(" ({} made", counted(diagnosis.looked, "check"));
    if (!diagnosis.skipped.empty())
        out += fmt::format(", {} left out until the above is mended", diagnosis.skipped.size());
    return out + ")\n";
}

// What is worst comes first.
[[nodiscard]] std::vector<const Finding*> in_order(const Diagnosis& diagnosis) {
    std::vector<const Finding*> out;
    for (const Finding& finding : diagnosis.findings)
        out.push_back(&finding);
    std::stable_sort(out.begin(), out.end(),
                     [](const Finding* a, const Finding* b) { return a->severity > b->severity; });
    return out;
}

[[nodiscard]] std::string dump(const Json& json) {
    return json.dump(2, ' ', true) + '\n';
}

} // namespace

std::string text_of(const Diagnosis& diagnosis) {
    std::string out;
    for (const Finding* finding : in_order(diagnosis)) {
        out += fmt::format("{}: {}\n", word_of(finding->severity), finding->id);
        out +=
            wrapped("seen", finding->evidence) + wrapped("why", finding->why) + wrapped("fix", finding->fix);
        out += '\n';
    }
    return out + summary(diagnosis);
}

std::string lines_of(const Diagnosis& diagnosis) {
    std::string out;
    for (const Finding* finding : in_order(diagnosis))
        if (finding->severity != Severity::note)
            out += fmt::format("{}: {}: {}\n", word_of(finding->severity), finding->id, finding->evidence);
    return out;
}

std::string json_of(const Diagnosis& diagnosis) {
    Json findings = Json::array(), skipped = Json::array();
    for (const Finding* finding : in_order(diagnosis))
        findings.push_back({{"id", finding->id},
                            {"severity", word_of(finding->severity)},
                            {"evidence", latin1(finding->evidence)},
                            {"why", finding->why},
                            {"fix", latin1(finding->fix)}});
    for (const Skipped& left : diagnosis.skipped)
        skipped.push_back({{"id", left.id}, {"because", left.because}});
    return dump({{"errors", count(diagnosis, Severity::error)},
                 {"warnings", count(diagnosis, Severity::warning)},
                 {"notes", count(diagnosis, Severity::note)},
                 {"checks", diagnosis.looked},
                 {"findings", std::move(findings)},
                 {"skipped", std::move(skipped)}});
}

std::string list_text() {
    std::string out;
    for (const Check* check : all_checks())
        out += fmt::format("{:<26} {:<8} {}\n", check->id, word_of(check->severity), check->what);
    return out;
}

std::string list_json() {
    Json out = Json::array();
    for (const Check* check : all_checks())
        out.push_back({{"id", check->id},
                       {"severity", word_of(check->severity)},
                       {"what", check->what},
                       {"why", check->why}});
    return dump(out);
}

} // namespace gate::ctl::doctor
