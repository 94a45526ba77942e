// lib/base/text: escaping, base64, hexadecimal, numbers.
#include "tests/unit/support.h"

#include "lib/base/text.h"

#include <utility>

using namespace gate;

namespace {

std::string encode(std::string_view s, bool padding = true) {
    return base64_encode(as_bytes(s), padding);
}

void escape_leaves_plain_text_alone() {
    CHECK_EQ(escape_visible("agent-1_2.data ~!\""), "agent-1_2.data ~!\"");
    CHECK_EQ(escape_visible(""), "");
}

void escape_shows_every_other_byte_as_hex() {
    for (unsigned u = 0; u < 256; ++u) {
        const char c = static_cast<char>(static_cast<unsigned char>(u));
        const std::string shown = escape_visible(std::string_view(&c, 1));
        const bool plain = u >= 0x20 && u <= 0x7e && u != '\\';
        CHECK_EQ(shown.size(), plain ? 1U : 4U);
        for (const char s : shown)
            CHECK(s >= 0x20 && s <= 0x7e);
    }
    CHECK_EQ(escape_visible("a\nb\x1b[2J\\\xff"), "a\\x0ab\\x1b[2J\\x5c\\xff");
    CHECK_EQ(escape_visible(std::string_view("\0", 1)), "\\x00");
}

void escape_cuts_at_the_cap_and_says_so() {
    CHECK_EQ(escape_visible("abcdef", 6), "abcdef");
    CHECK_EQ(escape_visible("abcdefg", 6), "abcdef...");
    CHECK_EQ(escape_visible("\n\n\n", 2), "\\x0a\\x0a...");
    CHECK_EQ(escape_visible("a", 0), "...");
}

// RFC 4648, section 10.
constexpr std::pair<std::string_view, std::string_view> k_vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

void base64_agrees_with_rfc_4648() {
    for (const auto& [plain, coded] : k_vectors) {
        CHECK_EQ(encode(plain), coded);
        const auto back = base64_decode(coded);
        CHECK(back.has_value());
        CHECK_EQ(*back, plain);
        const std::string_view bare = coded.substr(0, coded.find('='));
        CHECK_EQ(encode(plain, false), bare);
        const auto bare_back = base64_decode_unpadded(bare);
        CHECK(bare_back.has_value());
        CHECK_EQ(*bare_back, plain);
    }
}

void base64_round_trips_every_byte_and_length() {
    std::string all;
    for (unsigned u = 0; u < 256; ++u)
        all += static_cast<char>(static_cast<unsigned char>(u));
    for (std::size_t n = 0; n <= all.size(); ++n) {
        const std::string part = all.substr(all.size() - n);
        const auto back = base64_decode(encode(part));
        CHECK(back.has_value());
        CHECK_EQ(*back, part);
    }
}

void base64_refuses_what_is_not_canonical() {
    for (const std::string_view bad :
         {"=",     "==",    "===",   "====",    "A",    "AA",   "AAA",      "A===",
          "Zg=",   "Zg",    "Zg===", "Zh==",    "Zm9=", "Zm8",  "Zg==Zg==", "Zm9v\n",
          "Zm 9v", " Zm9v", "Zm-_",  "Zm9\x80", "=AAA", "A=AA", "AA=A"})
        CHECK_MSG(!base64_decode(bad), escape_visible(bad));
    CHECK(!base64_decode(std::string_view("Zm9\0", 4)));
    for (const std::string_view bad : {"A", "Zg==", "Zh", "Zm9", "Zm8=", "AAAAA", "Zm9v\n"})
        CHECK_MSG(!base64_decode_unpadded(bad), escape_visible(bad));
    CHECK(base64_decode_unpadded("Zg").has_value());
}

void what_is_made_in_place_leaves_nothing_of_before() {
    std::string out = "something longer than what comes";
    CHECK(base64_decode("Zm8=", out));
    CHECK_EQ(out, "fo");
    CHECK(!base64_decode("Zm8", out));
    CHECK(base64_decode("Zm9vYmFyYmF6", out));
    CHECK_EQ(out, "foobarbaz");
    CHECK(base64_decode("", out));
    CHECK_EQ(out, "");
    out = "something longer";
    hex_encode(as_bytes(std::string_view("\x0f\xa0")), out);
    CHECK_EQ(out, "0fa0");
}

// One spelling per value: of the 64 x 64 two-symbol texts exactly 256 decode, to 256 different bytes.
void base64_has_one_spelling_per_value() {
    constexpr std::string_view k_symbols = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int accepted = 0;
    for (const char a : k_symbols) {
        for (const char b : k_symbols) {
            const auto value = base64_decode_unpadded(std::string{a, b});
            if (!value)
                continue;
            ++accepted;
            CHECK_EQ(encode(*value, false), (std::string{a, b}));
        }
    }
    CHECK_EQ(accepted, 256);
}

void hex_is_lower_case() {
    CHECK_EQ(hex_encode(as_bytes(std::string_view("\x00\x0f\xa0\xff", 4))), "000fa0ff");
    CHECK_EQ(hex_encode({}), "");
}

void u64_takes_digits_only_and_no_overflow() {
    CHECK_EQ(parse_u64("0").value_or(1), 0U);
    CHECK_EQ(parse_u64("007").value_or(1), 7U);
    CHECK_EQ(parse_u64("18446744073709551615").value_or(1), UINT64_MAX);
    for (const std::string_view bad : {"", "-1", "+1", " 1", "1 ", "1a", "0x1", "18446744073709551616",
                                       "99999999999999999999999", "1\n", "."})
        CHECK_MSG(!parse_u64(bad), escape_visible(bad));
}

void numbers_are_appended_in_decimal() {
    std::string out = "n=";
    append_u64(out, 0);
    append_u64(out, UINT64_MAX);
    out += ' ';
    append_i64(out, INT64_MIN);
    append_i64(out, 42);
    CHECK_EQ(out, "n=018446744073709551615 -922337203685477580842");
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(escape_leaves_plain_text_alone),
        GATE_TEST(escape_shows_every_other_byte_as_hex),
        GATE_TEST(escape_cuts_at_the_cap_and_says_so),
        GATE_TEST(base64_agrees_with_rfc_4648),
        GATE_TEST(base64_round_trips_every_byte_and_length),
        GATE_TEST(base64_refuses_what_is_not_canonical),
        GATE_TEST(what_is_made_in_place_leaves_nothing_of_before),
        GATE_TEST(base64_has_one_spelling_per_value),
        GATE_TEST(hex_is_lower_case),
        GATE_TEST(u64_takes_digits_only_and_no_overflow),
        GATE_TEST(numbers_are_appended_in_decimal),
    };
    return cmocka_run_group_tests_name("base_text", tests, nullptr, nullptr);
}
