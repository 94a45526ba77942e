// Time. Wall-clock times are for people and validity; durations and deadlines use the monotonic clock.
#pragma once

#include <cstdint>
#include <string>

namespace gate {

// Microseconds since 1970-01-01 00:00:00 UTC.
[[nodiscard]] std::int64_t wall_clock_us();
// Milliseconds of the monotonic clock.
[[nodiscard]] std::int64_t monotonic_ms();
// "2026-11-23T04:40:36.123Z" (RFC 3339), computed without the time zone database.
[[nodiscard]] std::string format_utc(std::int64_t wall_us);

struct CivilTime {
    std::int64_t year;
    unsigned month, day, hour, minute, second; // month and day from 1
};
// The proleptic Gregorian calendar of seconds since the epoch, in UTC.
[[nodiscard]] CivilTime civil_time(std::int64_t unix_seconds);

} // namespace gate
