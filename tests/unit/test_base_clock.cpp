// lib/base/clock: the calendar, against the C library's.
#include "tests/unit/support.h"

#include "lib/base/clock.h"

#include <ctime>

using namespace gate;

namespace {

void same_as_gmtime(std::int64_t seconds) {
    const std::time_t t = seconds;
    std::tm expected{};
    CHECK(gmtime_r(&t, &expected) != nullptr);
    const CivilTime got = civil_time(seconds);
    const bool same = got.year == std::int64_t{expected.tm_year} + 1900 &&
                      got.month == static_cast<unsigned>(expected.tm_mon) + 1 &&
                      got.day == static_cast<unsigned>(expected.tm_mday) &&
                      got.hour == static_cast<unsigned>(expected.tm_hour) &&
                      got.minute == static_cast<unsigned>(expected.tm_min) &&
                      got.second == static_cast<unsigned>(expected.tm_sec);
    CHECK_MSG(same, std::to_string(seconds));
}

void every_day_of_eight_centuries_agrees_with_gmtime() {
    for (std::int64_t day = -146'097; day <= 146'097; ++day) {
        same_as_gmtime(day * 86400);
        same_as_gmtime(day * 86400 + 86399);
    }
}

void random_times_agree_with_gmtime() {
    auto random = test::seeded();
    std::uniform_int_distribution<std::int64_t> any(-67'768'040'609'740'800 / 1000, 253'402'300'799);
    for (int i = 0; i < 100'000; ++i)
        same_as_gmtime(any(random));
}

void utc_is_written_as_rfc_3339() {
    CHECK_EQ(format_utc(0), "1970-01-01T00:00:00.000Z");
    CHECK_EQ(format_utc(1'795'408'836'123'999), "2026-11-23T04:40:36.123Z");
    CHECK_EQ(format_utc(951'782'400'000'000), "2000-02-29T00:00:00.000Z");
    CHECK_EQ(format_utc(-1), "1969-12-31T23:59:59.999Z");
    CHECK_EQ(format_utc(-86'400'000'000), "1969-12-31T00:00:00.000Z");
}

void clocks_go_forward() {
    const std::int64_t before = monotonic_ms();
    CHECK(monotonic_ms() >= before);
    CHECK(wall_clock_us() > 1'600'000'000'000'000);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(every_day_of_eight_centuries_agrees_with_gmtime),
        GATE_TEST(random_times_agree_with_gmtime),
        GATE_TEST(utc_is_written_as_rfc_3339),
        GATE_TEST(clocks_go_forward),
    };
    return cmocka_run_group_tests_name("base_clock", tests, nullptr, nullptr);
}
