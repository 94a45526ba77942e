// Dates on the command line and in authorized_keys.
#include "tests/unit/support.h"

#include "gatectl/keys/when.h"
#include "gatectl/problem.h"

#include <ctime>

using namespace gate;
using namespace gate::test;

namespace {

constexpr std::int64_t k_now = 1'800'000'000; // 2027-01-15T08:00:00Z
constexpr std::int64_t k_jan31 = 1'801'353'600;

template<class Call>
void refused(Call call, ctl::Status status, std::string_view text, std::string_view words) {
    try {
        const std::int64_t then = call();
        raise(__FILE__, __LINE__, std::string(text) + " was taken as " + std::to_string(then));
    } catch (const ctl::Problem& problem) {
        const std::string_view said = problem.what();
        CHECK_MSG(said.find(words) != said.npos, std::string(said) + " does not say " + std::string(words));
        CHECK(said.find('\n') == said.npos);
        CHECK_EQ(static_cast<int>(problem.status()), static_cast<int>(status));
    }
}

void not_when(std::string_view text, std::string_view words, std::int64_t now = k_now) {
    refused([&] { return ctl::parse_when("--expires", text, now); }, ctl::Status::usage, text, words);
    refused([&] { return ctl::parse_when("--expires", text, now); }, ctl::Status::usage, text, "--expires: ");
}

void not_expiry(std::string_view text, std::string_view words) {
    refused([&] { return ctl::parse_expiry_time(text); }, ctl::Status::bad_data, text, words);
}

std::int64_t when(std::string_view text) {
    return ctl::parse_when("--expires", text, k_now);
}

// Sets TZ for a test, and takes it back.
class Zone {
  public:
    explicit Zone(const char* name) {
        if (const char* was = std::getenv("TZ"); was != nullptr)
            was_ = was;
        ::setenv("TZ", name, 1);
        ::tzset();
    }
    Zone(const Zone&) = delete;
    Zone& operator=(const Zone&) = delete;
    ~Zone() {
        if (was_.empty())
            ::unsetenv("TZ");
        else
            ::setenv("TZ", was_.c_str(), 1);
        ::tzset();
    }

  private:
    std::string was_;
};

void durations_count_from_now() {
    constexpr std::int64_t k_day = 86'400;
    CHECK_EQ(when("90d"), k_now + 90 * k_day);
    CHECK_EQ(when("2w"), k_now + 14 * k_day);
    CHECK_EQ(when("1y"), k_now + 365 * k_day);
    CHECK_EQ(when("36h"), k_now + 36 * 3600);
    CHECK_EQ(when("90min"), k_now + 5400);
    CHECK_EQ(when("30 s"), k_now + 30);
    CHECK_EQ(when("0d"), k_now);
    not_when("90", "no unit: write 90d");
    not_when("2m", "no time"); // minutes or months?
    not_when("-1d", "no time");
    not_when("1.5d", "no time");
    not_when("d", "no time");
    not_when("w", "no time");
    not_when("", "no time");
    not_when("8000y", "after the year 9999");
    not_when("9999999999999w", "after the year 9999");
    not_when("18446744073709551615d", "no time"); // does not fit at all
}

void days_are_their_first_second() {
    CHECK_EQ(when("2027-01-31"), k_jan31);
    CHECK_EQ(when("20270131"), k_jan31);
    CHECK_EQ(when("2027-01-31Z"), k_jan31);
    CHECK_EQ(when("1970-01-02"), std::int64_t{86'400});
    CHECK_EQ(when("9999-12-31T23:59:59Z"), std::int64_t{253'402'300'799});
}

void moments_are_utc_wherever_the_machine_is() {
    const Zone zone("America/New_York");
    const std::int64_t half_past_noon = k_jan31 + 12 * 3600 + 30 * 60;
    for (const char* text :
         {"2027-01-31T12:30:00Z", "2027-01-31 12:30", "2027-01-31T12:30", "2027-01-31T12:30Z",
          "2027-01-31 12:30:00", "202701311230", "20270131123000", "20270131123000Z", "2027-01-31T12:30:00z"})
        CHECK_MSG(when(text) == half_past_noon, text);
}

// timegm knows the calendar as well.
void every_day_agrees_with_the_c_library() {
    for (int day = 1; day < 800'000; day += 97) {
        const std::time_t t = std::time_t{86'400} * day + day % 86'400;
        std::tm tm{};
        ::gmtime_r(&t, &tm);
        char text[32];
        std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
        CHECK_MSG(when(text) == t, text);
    }
}

void what_does_not_exist_is_refused() {
    CHECK_EQ(when("2028-02-29"), std::int64_t{1'835'395'200});
    CHECK_EQ(when("2000-02-29"), std::int64_t{951'782'400});
    not_when("2027-02-29", "no such day");
    not_when("2027-02-30", "no such day");
    not_when("2100-02-29", "no such day");
    not_when("2027-04-31", "no such day");
    not_when("2027-01-00", "no such day");
    not_when("2027-00-01", "no such month");
    not_when("2027-13-01", "no such month");
    not_when("2027-01-31T24:00", "hours go from");
    not_when("2027-01-31T12:60", "minutes go from");
    not_when("2027-01-31T12:30:60Z", "seconds go from");
    not_when("1969-12-31", "1970 to 9999");
    not_when("0000-01-01", "1970 to 9999");
    // 0 means "none" in the store: the very first second must not become it.
    not_when("1970-01-01", "time begins");
    CHECK_EQ(when("1970-01-01T00:00:01Z"), std::int64_t{1});
    not_when("0s", "no time", 0);
}

void other_spellings_are_refused() {
    for (const char* text :
         {"31.01.2027", "01/31/2027", "2027-1-31", "27-01-31", "2027-01-31T12", "2027-01-31T12:30+01:00",
          " 2027-01-31", "2027-01-31 ", "2027-01-31  12:30", "12027-01-31", "never", "tomorrow",
          "2027-01-31t12:30", "2027-01-31ZZ", "202701311", "2027013112300"})
        if (parse_u64(text))
            not_when(text, "no unit");
        else
            not_when(text, "no time");
    not_when(std::string("2027-01-31\n"), "\\x0a");
    not_when(std::string(1000, '9') + "-01", "...");
}

void expiry_time_as_sshd_reads_it() {
    const Zone zone("UTC");
    CHECK_EQ(ctl::parse_expiry_time("20270131"), k_jan31);
    CHECK_EQ(ctl::parse_expiry_time("202701311230"), k_jan31 + 45'000);
    CHECK_EQ(ctl::parse_expiry_time("20270131123015"), k_jan31 + 45'015);
    for (const char* text : {"20270131Z", "20270131z", "20270131UTC", "20270131utc"})
        CHECK_MSG(ctl::parse_expiry_time(text) == k_jan31, text);
    for (const char* text :
         {"", "Z", "UTC", "90d", "2027-01-31", "2027013", "202701311", "2027013112301", "20270131 ",
          "20270131ZZ", "20270131ZUTC", "20270131UTCZ", "x0270131", "202701311230150"})
        not_expiry(text, "YYYYMMDD");
    not_expiry("20270230", "no such day");
    not_expiry("2027013124", "YYYYMMDD");
    not_expiry("202701312400", "hours");
    not_expiry("19700101Z", "1970");
    not_expiry("19690101Z", "1970");
}

// What `ssh-keygen -V` (the same parser) made of 202707011200 in Berlin: 11:00 UTC, not 10:00.
void expiry_time_without_z_is_local_standard_time() {
    const Zone zone("CET-1CEST,M3.5.0,M10.5.0/3");
    CHECK_EQ(ctl::parse_expiry_time("20270131"), k_jan31 - 3600);
    CHECK_EQ(ctl::parse_expiry_time("20270131Z"), k_jan31);
    CHECK_EQ(ctl::parse_expiry_time("202707011200"), std::int64_t{1'814'439'600});
    CHECK_EQ(ctl::parse_expiry_time("202707011200Z"), std::int64_t{1'814'443'200});
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(durations_count_from_now),
        GATE_TEST(days_are_their_first_second),
        GATE_TEST(moments_are_utc_wherever_the_machine_is),
        GATE_TEST(every_day_agrees_with_the_c_library),
        GATE_TEST(what_does_not_exist_is_refused),
        GATE_TEST(other_spellings_are_refused),
        GATE_TEST(expiry_time_as_sshd_reads_it),
        GATE_TEST(expiry_time_without_z_is_local_standard_time),
    };
    return cmocka_run_group_tests_name("ctl_when", tests, nullptr, nullptr);
}
