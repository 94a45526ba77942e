// lib/audit: one event is one line of ASCII JSON, whatever a stranger put in; codes are unique.
#include "tests/unit/support.h"

#include "lib/audit/event.h"
#include "lib/audit/line.h"
#include "lib/audit/session_id.h"

#include <set>

using namespace gate;
using audit::Event;
using audit::Line;

namespace {

// What stands after the time: the part that a test can foretell.
[[nodiscard]] std::string tail(Line& line) {
    const std::string all = line.finish();
    const std::size_t after = all.find("Z\"");
    CHECK(after != std::string::npos);
    return all.substr(after + 2);
}

void a_line_begins_with_event_and_time() {
    Line line(Event::key_refused);
    const std::string all = line.finish();
    CHECK(all.starts_with("{\"event\":\"key.refused\",\"time\":\"20"));
    CHECK(all.ends_with("Z\"}"));
}

void fields_keep_their_order() {
    Line line(Event::key_served);
    line.text("a", "x").number("b", UINT64_MAX).text_if("none", "").text_if("c", "y");
    CHECK_EQ(tail(line), ",\"a\":\"x\",\"b\":18446744073709551615,\"c\":\"y\"}");
}

void no_byte_of_a_stranger_ends_a_string_or_a_line() {
    for (unsigned u = 0; u < 256; ++u) {
        const char c = static_cast<char>(static_cast<unsigned char>(u));
        Line line(Event::key_refused);
        line.text("f", std::string_view(&c, 1));
        const std::string got = tail(line);
        std::string expected(1, c);
        if (c == '"' || c == '\\') {
            expected = std::string("\\") + c;
        } else if (u < 0x20 || u > 0x7e) {
            char code[8];
            std::snprintf(code, sizeof code, "\\u%04x", u);
            expected = code;
        }
        CHECK_EQ(got, ",\"f\":\"" + expected + "\"}");
    }
}

void a_forged_field_stays_inside_its_string() {
    Line line(Event::key_refused);
    line.text("user", "x\",\"event\":\"key.served\"}\n{\"");
    CHECK_EQ(tail(line), ",\"user\":\"x\\\",\\\"event\\\":\\\"key.served\\\"}\\u000a{\\\"\"}");
}

void a_long_text_is_cut_before_it_is_escaped() {
    Line line(Event::key_refused);
    line.text("a", "abc", 3).text("b", "abcd", 3).text("c", "\"\"\"\"", 2);
    CHECK_EQ(tail(line), ",\"a\":\"abc\",\"b\":\"abc...\",\"c\":\"\\\"\\\"...\"}");
    Line capped(Event::key_refused);
    capped.text("f", std::string(100'000, '\n'));
    CHECK_EQ(tail(capped).size(), 9 + audit::k_max_text * 6 + 2);
}

void codes_are_unique_and_well_formed() {
    std::set<std::string_view> seen;
    int known = 0;
    for (int i = 0; i < 256; ++i) {
        const std::string_view code = audit::code(static_cast<Event>(i));
        if (code == "unknown")
            continue;
        ++known;
        CHECK_MSG(seen.insert(code).second, std::string(code));
        CHECK_MSG(code.find('.') != std::string_view::npos, std::string(code));
        CHECK(code.find_first_not_of("abcdefghijklmnopqrstuvwxyz_.") == std::string_view::npos);
        CHECK_EQ(i + 1, known); // no gaps
    }
    CHECK(known >= 14);
}

void a_session_id_names_boot_process_and_start() {
    const std::string own = audit::session_id(::getpid());
    std::string boot = test::read_file("/proc/sys/kernel/random/boot_id");
    boot.pop_back();
    CHECK(own.starts_with(boot + "-" + std::to_string(::getpid()) + "-"));
    CHECK(!own.ends_with("-0"));
    CHECK_EQ(own, audit::session_id(::getpid()));
    CHECK(audit::session_id(::getppid()) != own);
}

void a_process_that_is_gone_has_start_0() {
    CHECK(audit::session_id(999'999'999).ends_with("-999999999-0"));
    CHECK_EQ(audit::parent_of(999'999'999), 0);
}

void the_parent_is_found_whatever_the_process_is_called() {
    CHECK_EQ(audit::parent_of(::getpid()), ::getppid());
    const Fd comm{::open("/proc/self/comm", O_WRONLY | O_CLOEXEC)};
    const std::string_view nasty = ") S 1 (x) ";
    CHECK(::write(comm.get(), nasty.data(), nasty.size()) == static_cast<ssize_t>(nasty.size()));
    CHECK_EQ(audit::parent_of(::getpid()), ::getppid());
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(a_line_begins_with_event_and_time),
        GATE_TEST(fields_keep_their_order),
        GATE_TEST(no_byte_of_a_stranger_ends_a_string_or_a_line),
        GATE_TEST(a_forged_field_stays_inside_its_string),
        GATE_TEST(a_long_text_is_cut_before_it_is_escaped),
        GATE_TEST(codes_are_unique_and_well_formed),
        GATE_TEST(a_session_id_names_boot_process_and_start),
        GATE_TEST(a_process_that_is_gone_has_start_0),
        GATE_TEST(the_parent_is_found_whatever_the_process_is_called),
    };
    return cmocka_run_group_tests_name("audit_line", tests, nullptr, nullptr);
}
