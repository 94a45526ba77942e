// lib/spool/name and reason: what a drop may be called, and the words of a refusal.
#include "tests/unit/support.h"

#include "lib/spool/name.h"

#include <regex>
#include <set>

using namespace gate;
using namespace gate::spool;

namespace {

// "packet AGENT", "checksum AGENT", or the code of the refusal.
std::string verdict(std::string_view name) {
    FileName out;
    const Reason reason = parse_file_name(name, out);
    if (reason != Reason::none)
        return std::string(text_of(reason).code);
    return (out.kind == FileName::Kind::packet ? "packet " : "checksum ") + std::string(out.agent);
}

constexpr std::pair<std::string_view, std::string_view> k_verdicts[] = {
    {"web1.1700000000.data", "packet web1"},
    {"web1_17.data", "packet web1"},
    {"0123456789abcdef0123456789abcdef.1700000000.data", "packet 0123456789abcdef0123456789abcdef"},
    {"my agent (Büro).7.data", "packet my agent (Büro)"},
    {"a.b.1.data", "packet a.b"},
    {"a.1_2.data", "packet a.1"},
    {"a.1.2.data", "packet a.1"},
    {"a..1.data", "packet a."},
    {"a_.1.data", "packet a_"},
    {"1.1.data", "packet 1"},
    {"a.data.1.data", "packet a.data"},
    {"a.99999999999999999999999999.data", "packet a"},
    {"\xff\xfe.1.data", "packet \xff\xfe"},
    {"web1.17.checksum", "checksum web1"},
    {"web1_17.checksum", "checksum web1"},
    {"", "name.form"},
    {".", "name.form"},
    {"..", "name.form"},
    {".data", "name.form"},
    {"1.data", "name.form"},
    {".1.data", "name.form"},
    {"_1.data", "name.form"},
    {"-a.1.data", "name.form"},
    {".a.1.data", "name.form"},
    {"a.data", "name.form"},
    {"a1.data", "name.form"},
    {"a-1.data", "name.form"},
    {"a.1x.data", "name.form"},
    {"a.x1.data", "name.form"},
    {"a.1..data", "name.form"},
    {"a.1.DATA", "name.form"},
    {"a.1.data ", "name.form"},
    {"a.1.data.filepart", "name.form"},
    {"a.1.data_BADXML", "name.form"},
    {"a.1", "name.form"},
    {"a.checksum", "name.form"},
    {"authorized_keys", "name.form"},
    {"0123.conf", "name.remote_config"},
    {"0123.md5", "name.remote_config"},
    {"a/b.1.data", "name.path"},
    {"/a.1.data", "name.path"},
    {"a.1.data/", "name.path"},
    {"../a.1.data", "name.form"},
    {"a/../b.1.data", "name.path"},
    {"a\n.1.data", "name.byte"},
    {"a.1.data\n", "name.byte"},
    {"a\x7f.1.data", "name.byte"},
    {"a\x1b[2J.1.data", "name.byte"},
    {std::string_view("a\0.1.data", 9), "name.byte"},
    {std::string_view("a.1.data\0", 9), "name.byte"},
};

void names_are_judged_as_written() {
    for (const auto& [name, expected] : k_verdicts)
        CHECK_MSG(verdict(name) == expected,
                  escape_visible(name) + " gives " + escape_visible(verdict(name)));
}

void every_single_byte_is_judged() {
    for (unsigned u = 0; u < 256; ++u) {
        const char c = static_cast<char>(static_cast<unsigned char>(u));
        const std::string name = "a" + std::string(1, c) + "b.1.data";
        const bool allowed = u >= 0x20 && u != 0x7f && c != '/';
        FileName out;
        CHECK_MSG((parse_file_name(name, out) == Reason::none) == allowed, escape_visible(name));
        CHECK_EQ(check_plain_name(name) == Reason::none, allowed);
    }
}

void the_longest_name_is_240_bytes() {
    constexpr std::string_view k_tail = ".1.data";
    const std::string fits = std::string(k_max_name - k_tail.size(), 'x') + std::string(k_tail);
    CHECK_EQ(fits.size(), k_max_name);
    CHECK_EQ(verdict(fits).substr(0, 7), "packet ");
    CHECK_EQ(verdict("x" + fits), "name.length");
    CHECK_EQ(verdict(std::string(1'000'000, 'x')), "name.length");
    // What the server makes of the longest name, extended, still fits into a file system.
    CHECK(extend_digits(fits, 999'999).size() + std::string_view("_BADXML").size() <= 255);
}

// What is let through is what the server takes, and one name belongs to one agent.
void accepted_packets_are_names_that_the_server_takes() {
    const std::regex server(R"(^[\s\S]*[\._]\d+\.data$)");
    auto random = test::seeded();
    constexpr std::string_view k_pieces[] = {"a", "1", "23", ".", "_", ".data", "-", " ", ".checksum", "x"};
    unsigned accepted = 0;
    for (int i = 0; i < 50'000; ++i) {
        std::string name;
        for (auto n = 1 + random() % 6; n > 0; --n)
            name += k_pieces[random() % std::size(k_pieces)];
        name += random() % 2 == 0 ? ".data" : "";
        FileName out;
        if (parse_file_name(name, out) != Reason::none || out.kind != FileName::Kind::packet)
            continue;
        ++accepted;
        CHECK_MSG(std::regex_match(name, server), name);
        CHECK_MSG(!out.agent.empty() && name.starts_with(out.agent), name);
        const char separator = name[out.agent.size()];
        CHECK_MSG(separator == '.' || separator == '_', name);
    }
    CHECK(accepted > 300);
}

void extended_digits_keep_the_agent_and_the_form() {
    for (const std::string_view name : {"web1.17.data", "web1_17.data", "a.1_2.data"}) {
        std::set<std::string> seen;
        FileName before;
        CHECK_EQ(parse_file_name(name, before), Reason::none);
        for (const unsigned suffix : {0U, 1U, 10U, 999U, 123'456U, 999'999U}) {
            const std::string extended = extend_digits(name, suffix);
            CHECK_EQ(extended.size(), name.size() + k_extra_digits);
            CHECK(seen.insert(extended).second);
            FileName after;
            CHECK_EQ(parse_file_name(extended, after), Reason::none);
            CHECK_EQ(after.agent, before.agent);
        }
    }
    CHECK_EQ(extend_digits("web1.17.data", 42), "web1.17000042.data");
    CHECK_EQ(extend_digits("web1.17.data", 1'000'042), "web1.17000042.data");
}

void every_reason_has_its_own_words() {
    std::set<std::string_view> codes;
    std::set<std::string_view> whats;
    for (std::uint16_t i = 0; i < static_cast<std::uint16_t>(Reason::last_); ++i) {
        const ReasonText& text = text_of(static_cast<Reason>(i));
        CHECK_MSG(codes.insert(text.code).second, std::string(text.code));
        CHECK_MSG(whats.insert(text.what).second, std::string(text.what));
        CHECK(!text.code.empty() && !text.what.empty() && !text.remedy.empty());
        for (const char c : text.code)
            CHECK_MSG((c >= 'a' && c <= 'z') || c == '.' || c == '_', std::string(text.code));
    }
    CHECK_EQ(text_of(Reason::none).code, "none");
    CHECK_EQ(text_of(Reason::name_form).code, "name.form");
    CHECK_EQ(text_of(Reason::agent_name).code, "agent.name");
    CHECK_EQ(text_of(Reason::incomplete).code, "transfer.incomplete");
    CHECK_EQ(text_of(Reason::internal).code, "server.internal");
}

void a_sentence_is_one_plain_line() {
    for (std::uint16_t i = 0; i < static_cast<std::uint16_t>(Reason::last_); ++i) {
        const std::string text = sentence(static_cast<Reason>(i));
        CHECK_EQ(escape_visible(text, 4000), text);
        CHECK(text.starts_with("pandora-gate: "));
        CHECK(text.size() < 200);
    }
    CHECK_EQ(sentence(Reason::read),
             "pandora-gate: nothing can be read here; this account only receives data");
}

// The front is not trusted: its reasons may be any number.
void a_value_that_is_no_reason_is_an_internal_error() {
    for (const unsigned value : {static_cast<unsigned>(Reason::last_), 1000U, 65535U})
        CHECK_EQ(text_of(static_cast<Reason>(value)).code, "server.internal");
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(names_are_judged_as_written),
        GATE_TEST(every_single_byte_is_judged),
        GATE_TEST(the_longest_name_is_240_bytes),
        GATE_TEST(accepted_packets_are_names_that_the_server_takes),
        GATE_TEST(extended_digits_keep_the_agent_and_the_form),
        GATE_TEST(every_reason_has_its_own_words),
        GATE_TEST(a_sentence_is_one_plain_line),
        GATE_TEST(a_value_that_is_no_reason_is_an_internal_error),
    };
    return cmocka_run_group_tests_name("spool_name", tests, nullptr, nullptr);
}
