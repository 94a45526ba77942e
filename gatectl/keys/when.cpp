#include "gatectl/keys/when.h"

#include "gatectl/problem.h"
#include "gatectl/publish/units.h"
#include "lib/base/text.h"

#include <array>
#include <ctime>
#include <optional>
#include <string>

namespace gate::ctl {

namespace {

constexpr std::int64_t k_minute = 60;
constexpr std::int64_t k_hour = 60 * k_minute;
constexpr std::int64_t k_day = 24 * k_hour;
// The last second of 9999: four digits of a year, here and in expiry-time.
constexpr std::int64_t k_last = 253'402'300'799;
constexpr std::size_t k_shown = 64; // of what was written, in a message

struct Moment {
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

// `d` in a shape stands for a digit, everything else for itself.
constexpr std::string_view k_shapes[] = {
    "dddd-dd-dd", "dddd-dd-ddTdd:dd", "dddd-dd-dd dd:dd", "dddd-dd-ddTdd:dd:dd", "dddd-dd-dd dd:dd:dd",
};
constexpr std::string_view k_plain_shapes[] = {"dddddddd", "dddddddddddd", "dddddddddddddd"};

[[nodiscard]] bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

[[nodiscard]] bool has_shape(std::string_view text, std::string_view shape) {
    if (text.size() != shape.size())
        return false;
    for (std::size_t i = 0; i < text.size(); ++i)
        if (shape[i] == 'd' ? !is_digit(text[i]) : text[i] != shape[i])
            return false;
    return true;
}

[[nodiscard]] bool is_same_word(std::string_view text, std::string_view upper) {
    if (text.size() != upper.size())
        return false;
    for (std::size_t i = 0; i < text.size(); ++i)
        if (text[i] != upper[i] && text[i] != upper[i] + ('a' - 'A'))
            return false;
    return true;
}

// The text has one of the shapes: its digits are a year, month, day, hour ... in this order.
[[nodiscard]] Moment read_digits(std::string_view text) {
    Moment m;
    int* const parts[] = {&m.year, &m.month, &m.day, &m.hour, &m.minute, &m.second};
    constexpr int k_widths[] = {4, 2, 2, 2, 2, 2};
    std::size_t part = 0;
    int seen = 0;
    for (const char c : text) {
        if (!is_digit(c))
            continue;
        *parts[part] = *parts[part] * 10 + (c - '0');
        if (++seen == k_widths[part]) {
            ++part;
            seen = 0;
        }
    }
    return m;
}

[[nodiscard]] bool is_leap(int year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

[[nodiscard]] int days_in(int year, int month) {
    constexpr std::array k_days = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : k_days[static_cast<std::size_t>(month - 1)];
}

// nullptr, or why there is no such moment.
[[nodiscard]] const char* wrong_with(const Moment& m) {
    if (m.year < 1970)
        return "years go from 1970 to 9999";
    if (m.month < 1 || m.month > 12)
        return "there is no such month";
    if (m.day < 1 || m.day > days_in(m.year, m.month))
        return "that month has no such day";
    if (m.hour > 23)
        return "hours go from 00 to 23";
    if (m.minute > 59)
        return "minutes go from 00 to 59";
    if (m.second > 59)
        return "seconds go from 00 to 59";
    return nullptr;
}

[[nodiscard]] std::int64_t in_utc(const Moment& m) {
    const auto leap_days_before = [](int year) {
        return (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
    };
    std::int64_t days =
        std::int64_t{365} * (m.year - 1970) + leap_days_before(m.year) - leap_days_before(1970);
    for (int month = 1; month < m.month; ++month)
        days += days_in(m.year, month);
    return (days + m.day - 1) * k_day + m.hour * k_hour + m.minute * k_minute + m.second;
}

// As OpenSSH's parse_absolute_time does it, which leaves tm_isdst at 0.
[[nodiscard]] std::int64_t in_local_time(const Moment& m) {
    std::tm tm{};
    tm.tm_year = m.year - 1900;
    tm.tm_mon = m.month - 1;
    tm.tm_mday = m.day;
    tm.tm_hour = m.hour;
    tm.tm_min = m.minute;
    tm.tm_sec = m.second;
    return std::mktime(&tm);
}

// Seconds. Weeks and years are for people; gate.toml does without them.
[[nodiscard]] std::optional<std::uint64_t> read_duration(std::string_view text) {
    if (const auto seconds = parse_time(text))
        return seconds;
    if (text.empty() || (text.back() != 'w' && text.back() != 'y'))
        return std::nullopt;
    const std::uint64_t days = text.back() == 'w' ? 7 : 365;
    std::string in_days(text.substr(0, text.size() - 1));
    const auto count = parse_time(in_days + "d");
    if (!count || *count > static_cast<std::uint64_t>(k_last))
        return count;
    return *count * days;
}

template<class Shapes>
[[nodiscard]] bool has_any_shape(std::string_view text, const Shapes& shapes) {
    for (const std::string_view shape : shapes)
        if (has_shape(text, shape))
            return true;
    return false;
}

} // namespace

std::int64_t parse_when(std::string_view what, std::string_view text, std::int64_t now) {
    const std::string shown = escape_visible(text, k_shown);
    if (const auto duration = read_duration(text)) {
        if (now < 0 || now > k_last || *duration > static_cast<std::uint64_t>(k_last - now))
            stop(Status::usage, "{}: {} from now is after the year 9999", what, shown);
        const std::int64_t then = now + static_cast<std::int64_t>(*duration);
        if (then > 0)
            return then;
    }
    std::string_view rest = text;
    if (rest.ends_with('Z') || rest.ends_with('z'))
        rest.remove_suffix(1);
    if (has_any_shape(rest, k_shapes) || has_any_shape(rest, k_plain_shapes)) {
        const Moment moment = read_digits(rest);
        if (const char* wrong = wrong_with(moment); wrong != nullptr)
            stop(Status::usage, "{}: {} does not exist: {}", what, shown, wrong);
        if (const std::int64_t then = in_utc(moment); then > 0)
            return then;
        stop(Status::usage, "{}: {} is where time begins here: give a later one", what, shown);
    }
    if (parse_u64(text))
        stop(Status::usage, "{}: {} has no unit: write {}d for days, {}w for weeks", what, shown, shown,
             shown);
    stop(Status::usage,
         "{}: '{}' is no time: write 90d, 12h, 2w, 1y (from now), 2027-01-31 or 2027-01-31T12:30:00Z (UTC)",
         what, shown);
}

std::int64_t parse_expiry_time(std::string_view text) {
    constexpr std::string_view k_utc[] = {"Z", "UTC"};
    const std::string shown = escape_visible(text, k_shown);
    std::string_view rest = text;
    bool utc = false;
    for (const std::string_view zone : k_utc)
        if (!utc && rest.size() > zone.size() && is_same_word(rest.substr(rest.size() - zone.size()), zone)) {
            rest.remove_suffix(zone.size());
            utc = true;
        }
    if (!has_any_shape(rest, k_plain_shapes))
        stop(Status::bad_data, "expiry-time=\"{}\" is not of the form YYYYMMDD[HHMM[SS]][Z]", shown);
    const Moment moment = read_digits(rest);
    if (const char* wrong = wrong_with(moment); wrong != nullptr)
        stop(Status::bad_data, "expiry-time=\"{}\" does not exist: {}", shown, wrong);
    const std::int64_t then = utc ? in_utc(moment) : in_local_time(moment);
    if (then <= 0 || then > k_last)
        stop(Status::bad_data, "expiry-time=\"{}\": years go from 1970 to 9999", shown);
    return then;
}

} // namespace gate::ctl
