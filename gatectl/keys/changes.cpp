#include "gatectl/keys/changes.h"

#include "gatectl/keys/json.h"
#include "lib/base/text.h"

#include <fmt/format.h>

namespace gate::ctl {

namespace {

constexpr std::size_t k_shown = 400; // of a value, in bytes: a note or reason whole

// What stands for a value that is not there.
[[nodiscard]] const char* word_for_none(std::string_view field) {
    if (field == "expires")
        return "never";
    if (field == "not_before")
        return "at once";
    if (field == "from")
        return "anywhere";
    return field == "agents" || field == "note" || field == "approver" || field == "reason" ? "none"
                                                                                            : "default";
}

[[nodiscard]] std::string words(std::string_view field, const Json& value) {
    std::string out;
    if (value.is_array()) {
        for (const Json& item : value)
            if (item.is_string())
                out +=
                    (out.empty() ? "" : ", ") + escape_visible(from_latin1(item.get<std::string>()), k_shown);
    } else if (value.is_string()) {
        out = escape_visible(from_latin1(value.get<std::string>()), k_shown);
    } else if (value.is_boolean()) {
        return value.get<bool>() ? "yes" : "no";
    } else if (value.is_number_unsigned() && value.get<std::uint64_t>() != 0) {
        out = std::to_string(value.get<std::uint64_t>());
    }
    return out.empty() ? word_for_none(field) : out;
}

[[nodiscard]] bool says_something(const Json& value) {
    return !(value == "" || value == 0 || value == false || value == "default" || value.empty());
}

} // namespace

std::string change_lines(const Difference& difference, std::string_view indent) {
    const Json before = Json::parse(difference.before, nullptr, false);
    const Json after = Json::parse(difference.after, nullptr, false);
    std::string out;
    if (!after.is_object())
        return out;
    for (const auto& [field, value] : after.items()) {
        std::string name = field;
        for (char& c : name)
            if (c == '_')
                c = ' ';
        if (before.is_object() && before.contains(field))
            out += fmt::format("{}{}: {} -> {}\n", indent, name, words(field, before[field]),
                               words(field, value));
        else if (says_something(value) && !(field == "state" && value == "active"))
            out += fmt::format("{}{}: {}\n", indent, name, words(field, value));
    }
    return out;
}

} // namespace gate::ctl
