#include "gatectl/probe/tries.h"

#include "gatectl/table.h"

#include <algorithm>
#include <fmt/format.h>

namespace gate::ctl {

const char* word_of(TryResult result) {
    switch (result) {
    case TryResult::refused:
        return "refused";
    case TryResult::succeeded:
        return "SUCCEEDED";
    case TryResult::accepted:
        return "accepted";
    case TryResult::lost:
        return "NOT ACCEPTED";
    case TryResult::untried:
        break;
    }
    return "could not be tried";
}

int exit_status(const ProbeReport& report) {
    const auto any = [&](TryResult result) {
        return std::ranges::any_of(report.tries, [result](const Tried& one) { return one.result == result; });
    };
    if (report.interrupted)
        return 2;
    if (any(TryResult::succeeded) || any(TryResult::lost))
        return 1;
    return any(TryResult::untried) ? 2 : 0;
}

std::string to_text(const ProbeReport& report, std::size_t columns) {
    Table table({"TRY", "", "RESULT"});
    std::size_t holes = 0;
    for (const Tried& one : report.tries) {
        holes += one.result == TryResult::succeeded ? 1 : 0;
        table.add({one.name, one.what, word_of(one.result)});
    }
    std::string out = table.text(columns);
    for (const Tried& one : report.tries)
        if (!one.note.empty())
            out += fmt::format("{}: {}\n", one.name, one.note);
    for (const std::string& left : report.left_behind)
        out += fmt::format("left behind: {}\n", left);
    return out + fmt::format("{}: {} tries, {} succeeded\n", report.target, report.tries.size(), holes);
}

Json to_json(const ProbeReport& report) {
    Json tries = Json::array();
    for (const Tried& one : report.tries)
        tries.push_back({{"name", one.name},
                         {"what", one.what},
                         {"result", word_of(one.result)},
                         {"note", one.note.empty() ? Json() : Json(one.note)}});
    return {{"target", report.target}, {"tries", std::move(tries)}, {"left_behind", report.left_behind}};
}

} // namespace gate::ctl
