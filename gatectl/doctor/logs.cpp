#include "gatectl/doctor/logs.h"

#include "gatectl/store/key.h"
#include "lib/base/text.h"

#include <algorithm>
#include <ctime>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace gate::ctl::doctor {

namespace {

constexpr std::size_t k_most = 8 << 20;   // of a log, bytes: a day of a large fleet's refusals
constexpr std::size_t k_most_seen = 1000; // different ones; few are shown

void remember(std::vector<std::string>& seen, std::string text) {
    if (seen.size() < k_most_seen && std::find(seen.begin(), seen.end(), text) == seen.end())
        seen.push_back(std::move(text));
}

template<class Visit>
void each_line(const Machine& machine, const std::string& file, Visit visit) {
    const std::string text = machine.read_end(file, k_most).value_or("");
    for (std::string_view rest = text; !rest.empty();) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        visit(line);
    }
}

[[nodiscard]] std::string field(const nlohmann::json& event, const char* name) {
    const auto found = event.find(name);
    return found != event.end() && found->is_string() ? found->get<std::string>() : std::string();
}

void take_event(std::string_view line, const std::string& since, std::vector<std::string>& seen) {
    const auto event = nlohmann::json::parse(line, nullptr, false);
    if (!event.is_object())
        return;
    const std::string code = field(event, "event");
    const std::string reason = field(event, "reason");
    const bool about = code == "agent.mismatch" ||
                       (code == "drop.refused" && (reason == "agent.name" || reason == "agent.mismatch"));
    if (about && field(event, "time") >= since)
        remember(seen, fmt::format("{} with {}", field(event, "key"), field(event, "file")));
}

// Behind "sshd[123]: ": nullopt if the line is not sshd's.
[[nodiscard]] std::optional<std::string_view> message_of_sshd(std::string_view line) {
    for (const std::string_view name : {" sshd[", " sshd-session[", " sshd-auth[", " pandora-sshd["}) {
        const std::size_t at = line.find(name);
        const std::size_t end = at == line.npos ? at : line.find("]: ", at);
        if (end != line.npos && line.find(": ") == end + 1)
            return line.substr(end + 3);
    }
    return std::nullopt;
}

[[nodiscard]] std::optional<std::int64_t> parse_with(const std::string& text, const char* format,
                                                     std::tm& tm) {
    tm.tm_isdst = -1;
    return ::strptime(text.c_str(), format, &tm) == nullptr ? std::nullopt : std::optional<std::int64_t>(0);
}

} // namespace

std::optional<std::int64_t> time_of_line(std::string_view line, std::int64_t now) {
    constexpr std::int64_t k_day = 24 * 3600;
    std::tm tm{};
    if (line.size() > 19 && line[10] == 'T') {
        if (!parse_with(std::string(line.substr(0, 19)), "%Y-%m-%dT%H:%M:%S", tm))
            return std::nullopt;
        const std::size_t zone = line.find_first_of("Z+- ", 19);
        if (zone == line.npos || line[zone] == ' ')
            return ::mktime(&tm);
        const std::int64_t utc = ::timegm(&tm);
        if (line[zone] == 'Z' || zone + 6 > line.size())
            return utc;
        const auto hours = parse_u64(line.substr(zone + 1, 2)), minutes = parse_u64(line.substr(zone + 4, 2));
        const auto offset = static_cast<std::int64_t>(hours.value_or(0) * 3600 + minutes.value_or(0) * 60);
        return line[zone] == '+' ? utc - offset : utc + offset;
    }
    const std::time_t at = now;
    std::tm today{};
    if (line.size() < 16 || ::localtime_r(&at, &today) == nullptr)
        return std::nullopt;
    tm.tm_year = today.tm_year;
    if (!parse_with(std::string(line.substr(0, 15)), "%b %d %H:%M:%S", tm))
        return std::nullopt;
    std::tm earlier = tm;
    const std::int64_t out = ::mktime(&tm);
    --earlier.tm_year;
    return out > now + k_day ? ::mktime(&earlier) : out;
}

std::vector<std::string> mismatches(const Machine& machine, const std::string& audit, std::int64_t since) {
    std::vector<std::string> seen;
    const std::string from = time_text(since);
    each_line(machine, audit, [&](std::string_view line) {
        if (line.find("\"agent.") != line.npos) // a day of a fleet has many lines about nothing of this
            take_event(line, from, seen);
    });
    return seen;
}

std::vector<std::string> failed_key_exchanges(const Machine& machine, const std::string& log,
                                              std::int64_t since) {
    constexpr std::string_view k_begin = "Unable to negotiate with ";
    constexpr std::string_view k_why = ": no matching ";
    std::vector<std::string> seen;
    each_line(machine, log, [&](std::string_view line) {
        const auto message = message_of_sshd(line);
        if (!message || !message->starts_with(k_begin))
            return;
        const std::string_view rest = message->substr(k_begin.size());
        const std::size_t why = rest.find(k_why);
        const auto at = time_of_line(line, machine.now());
        if (why == rest.npos || !at || *at < since)
            return;
        const std::string_view words = rest.substr(why + 2);
        remember(seen,
                 fmt::format("{} ({})", rest.substr(0, rest.find(' ')), words.substr(0, words.find('.'))));
    });
    return seen;
}

} // namespace gate::ctl::doctor
