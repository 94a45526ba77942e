#include "gatectl/explain/steps.h"

#include <fmt/format.h>

namespace gate::ctl {

const char* word_of(Outcome outcome) {
    switch (outcome) {
    case Outcome::passed:
        return "passed";
    case Outcome::let_in:
        return "let in";
    case Outcome::taken:
        return "taken";
    case Outcome::quarantined:
        return "quarantined";
    case Outcome::refused:
        break;
    }
    return "refused";
}

void Walk::refuse(spool::Reason reason, std::string what) {
    const spool::ReasonText& text = spool::text_of(reason);
    end({"drop", std::move(what), Outcome::refused, std::string(text.code), std::string(text.remedy)});
}

std::string fold(std::string_view text, std::size_t columns, std::size_t indent) {
    std::string out;
    std::size_t at = 0; // places used in this line
    while (!text.empty()) {
        const std::string_view word = text.substr(0, text.find(' '));
        text.remove_prefix(std::min(text.size(), word.size() + 1));
        if (at != 0 && columns != 0 && at + 1 + word.size() > columns) {
            out += '\n';
            out.append(indent, ' ');
            at = indent;
        } else if (!out.empty()) {
            out += ' ';
            ++at;
        }
        out += word;
        at += word.size();
    }
    return out;
}

std::string to_text(const Walk& walk, std::size_t columns) {
    constexpr std::size_t k_indent = 4;
    std::string out;
    for (const Step& step : walk.steps) {
        std::string line = fmt::format("{}: {} -> {}", step.who, step.what, word_of(step.outcome));
        if (!step.rule.empty())
            line += fmt::format(" (rule {})", step.rule);
        out += fold(line, columns, k_indent) + '\n';
        if (!step.remedy.empty())
            out += "    " +
                   fold("to change that: " + step.remedy, columns == 0 ? 0 : columns - k_indent, k_indent) +
                   '\n';
    }
    return out;
}

Json to_json(const Walk& walk) {
    const auto or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
    Json steps = Json::array();
    for (const Step& step : walk.steps)
        steps.push_back({{"who", step.who},
                         {"what", step.what},
                         {"outcome", word_of(step.outcome)},
                         {"rule", or_null(step.rule)},
                         {"remedy", or_null(step.remedy)}});
    const Step& last = walk.steps.back();
    return {
        {"user", walk.user},          {"key", or_null(walk.key)},       {"fingerprint", walk.fingerprint},
        {"address", walk.address},    {"service", walk.service},        {"outcome", word_of(last.outcome)},
        {"rule", or_null(last.rule)}, {"remedy", or_null(last.remedy)}, {"steps", std::move(steps)}};
}

} // namespace gate::ctl
