// lib/spool/content: the verdict on a packet, what it may cost, and that nobody gets a DOCTYPE past it.
#include "tests/unit/support.h"

#include "lib/spool/content.h"
#include "lib/spool/encodings.h"

#include <algorithm>
#include <array>
#include <chrono>

using namespace gate;
using namespace gate::spool;
using namespace gate::test;
using namespace std::literals;

namespace {

[[nodiscard]] std::string_view word(Content content) {
    constexpr std::array<std::string_view, 6> k_words = {"unchecked", "well-formed", "malformed",
                                                         "doctype",   "wrong root",  "too complex"};
    static_assert(k_words.size() == static_cast<std::size_t>(Content::last_));
    return k_words.at(static_cast<std::size_t>(content));
}

[[nodiscard]] std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

// "VERDICT", or "VERDICT NAME".
[[nodiscard]] std::string verdict(ContentChecker& checker, std::string_view packet,
                                  Doctype rule = Doctype::refuse) {
    const Verdict found = checker.check(bytes_of(packet), rule);
    return std::string(word(found.content)) + (found.agent_name ? ' ' + *found.agent_name : "");
}

[[nodiscard]] std::string verdict(std::string_view packet, Doctype rule = Doctype::refuse) {
    ContentChecker checker;
    return verdict(checker, packet, rule);
}

[[nodiscard]] std::string repeat(std::string_view text, std::size_t times) {
    std::string out;
    out.reserve(text.size() * times);
    while (times-- > 0)
        out += text;
    return out;
}

[[nodiscard]] std::string utf16(std::string_view ascii, bool little, bool mark = true) {
    std::string out = !mark ? "" : little ? "\xff\xfe" : "\xfe\xff";
    for (const char c : ascii) {
        const char pair[] = {little ? c : '\0', little ? '\0' : c};
        out.append(pair, 2);
    }
    return out;
}

// The end of a packet whose XML declaration names `encoding`.
[[nodiscard]] std::string encoded(std::string_view encoding, std::string_view rest) {
    return "<?xml version='1.0' encoding='" + std::string(encoding) + "'?>" + std::string(rest);
}

struct Case {
    std::string_view packet;
    std::string_view verdict;
};

void check_all(std::span<const Case> cases, Doctype rule = Doctype::refuse) {
    ContentChecker reused;
    for (const Case& c : cases) {
        const std::string shown = escape_visible(c.packet, 100);
        CHECK_MSG(verdict(reused, c.packet, rule) == c.verdict,
                  shown + ": " + verdict(reused, c.packet, rule));
        CHECK_MSG(verdict(c.packet, rule) == c.verdict, shown + ": " + verdict(c.packet, rule));
    }
}

void real_packets_are_well_formed() {
    constexpr Case k_fixtures[] = {
        {"2f527604e1deff1329720282d8d3cfa1.1795370700.data", "well-formed web01"},
        {"loadgen01_1795370801.data", "well-formed loadgen01"},
        {"aixhost.21807.data", "well-formed aixhost"},
        {"shellhost.1795370900.data", "well-formed shellhost"},
    };
    ContentChecker checker;
    for (const Case& c : k_fixtures)
        CHECK_EQ(verdict(checker, read_file("tests/fixtures/" + std::string(c.packet))), c.verdict);
}

void packets_are_judged_as_they_are() {
    constexpr Case k_cases[] = {
        {"<agent_data agent_name='a'/>", "well-formed a"},
        {"<agent_data agent_name=\"a b\"></agent_data>\n", "well-formed a b"},
        {"<agent_data x='1' agent_name='&lt;&#228;&gt;' y='2'/>", "well-formed <ä>"},
        {"<agent_data agent_name=''/>", "well-formed "},
        {"<agent_data/>", "well-formed"},
        {"<agent_data agent_Name='a' x:agent_name='b'/>", "well-formed"},
        {"<agent_data><x agent_name='a'/></agent_data>", "well-formed"},
        {"<?xml version='1.0' encoding='UTF-8'?><!-- c --><?p i?>\n<agent_data agent_name='a'/>",
         "well-formed a"},
        {"\xef\xbb\xbf<agent_data agent_name='a'/>", "well-formed a"},
        {"\xef\xbb\xbf<?xml version='1.0'?><agent_data agent_name='a'/>", "well-formed a"},
        {"\n\t <agent_data agent_name='a'/>", "well-formed a"},
        {"<agent_data agent_name='a'><![CDATA[<!DOCTYPE x>]]></agent_data>", "well-formed a"},
        {"<agent_data agent_name='a'><!-- <!DOCTYPE x> --></agent_data>", "well-formed a"},
        {"<!-- <!DOCTYPE x> --><agent_data agent_name='a'/>", "well-formed a"},
        // Malformed after the start tag: whatever follows is no DOCTYPE.
        {"<agent_data agent_name='a'>", "malformed a"},
        {"<agent_data agent_name='a'><data>1 < 2</data></agent_data>", "malformed a"},
        {"<agent_data agent_name='a'/><agent_data/>", "malformed a"},
        {"<agent_data agent_name='a'/>x", "malformed a"},
        {"<agent_data agent_name='a'/>\0"sv, "malformed a"},
        {"<agent_data agent_name='a'>\xff</agent_data>", "malformed a"},
        {"<agent_data agent_name='a'><!DOCTYPE x></agent_data>", "malformed a"},
        {"<agent_data agent_name='a'/><!DOCTYPE x>", "malformed a"},
        {"<agent_data agent_name='a'>&x;</agent_data>", "malformed a"},
        // Before it, and nothing in the bytes could be one.
        {"", "malformed"},
        {"\0"sv, "malformed"},
        {" \n", "malformed"},
        {"\xef\xbb\xbf", "malformed"},
        {"\xff\xfe"sv, "malformed"},
        {"x", "malformed"},
        {"not XML", "malformed"},
        {"<", "malformed"},
        {"<?xml version='1.0'?>", "malformed"},
        {" <?xml version='1.0'?><agent_data agent_name='a'/>", "malformed"},
        {"\0<agent_data agent_name='a'/>"sv, "malformed"},
        {"<agent_data agent_name='a", "malformed"},
        {"<agent_data agent_name='a' description='R & D'/>", "malformed"},
        {"<agent_data agent_name='a' agent_name='b'/>", "malformed"},
        {"<agent_data agent_name='\xe4'/>", "malformed"},
        {"<?xml version='1.0' encoding='US-ASCII'?><agent_data agent_name='\xe4'/>", "malformed"},
        {"<!-- the DOCTYPE >", "malformed"},
        // Another root, whatever follows.
        {"<agent agent_name='a'/>", "wrong root a"},
        {"<Agent_data/>", "wrong root"},
        {"<x:agent_data/>", "wrong root"},
        {"<agent_data2>", "wrong root"},
        {"<html><", "wrong root"},
    };
    check_all(k_cases);
    CHECK(ContentChecker().check({}).content == Content::malformed); // nowhere in memory, even
}

void a_doctype_is_refused_however_it_is_written() {
    constexpr Case k_cases[] = {
        {"<!DOCTYPE agent_data><agent_data agent_name='a'/>", "doctype"},
        {"<!DOCTYPE a SYSTEM 'file:///etc/shadow'><agent_data/>", "doctype"},
        {"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/shadow'>]><agent_data>&x;"
         "</agent_data>",
         "doctype"},
        {"<!-- c --><?p i?>\n<!DOCTYPE a PUBLIC 'p' 's'>", "doctype"},
        {"\xef\xbb\xbf<!DOCTYPE a><agent_data/>", "doctype"},
        // expat stops before it knows.
        {"<!DOCTYPE", "doctype"},
        {"<!DOCTYPE \x01", "doctype"},
        {"<!doctype html><html></html>", "doctype"},
        {"<!ENTITY x 'y'>", "doctype"},
        {"x<!DOCTYPE a><agent_data/>", "doctype"},
        {" <?xml version='1.0'?><!DOCTYPE a><agent_data/>", "doctype"},
        {"<?xml version='1.0' encoding='UTF-16'?><!DOCTYPE a><agent_data/>", "doctype"},
        {"<agent_data agent_name='R & D'><![CDATA[<!DOCTYPE x>]]></agent_data>", "doctype"},
        {"\x4c\x6f\xa7\x94 what follows is EBCDIC", "doctype"},
    };
    check_all(k_cases);
    for (const std::string_view broken : {"x<!DOCTYPE a>", "x<!dOcTyPe a>", "x<!ENTITY a>", "x<!entity a>"})
        for (const bool little : {false, true}) {
            CHECK_EQ(verdict(utf16(broken, little)), "doctype");
            CHECK_EQ(verdict(utf16(broken, little, false)), "doctype");
            CHECK_EQ(verdict("odd" + utf16(broken, little, false)), "doctype");
            CHECK_EQ(verdict(utf16(utf16(broken, little, false), little, false)), "doctype");
        }
}

void utf16_is_read() {
    for (const bool little : {false, true}) {
        CHECK_EQ(verdict(utf16("<agent_data agent_name='a'/>", little)), "well-formed a");
        CHECK_EQ(verdict(utf16("<agent_data agent_name='a'/>", little, false)), "well-formed a");
        CHECK_EQ(verdict(utf16(encoded("UTF-16", "<agent_data agent_name='a'/>"), little)), "well-formed a");
        CHECK_EQ(verdict(utf16("<agent_data agent_name='a'>&", little)), "malformed a");
        CHECK_EQ(verdict(utf16("<agent/>", little)), "wrong root");
        CHECK_EQ(verdict(utf16("<!DOCTYPE a><agent_data/>", little)), "doctype");
        CHECK_EQ(verdict(utf16("<agent_data agent_name='a'/>", little) + "x"), "malformed a");
    }
}

void single_byte_encodings_are_read() {
    constexpr struct {
        std::string_view encoding;
        std::string_view byte;
        std::string_view utf8;
    } k_cases[] = {
        {"ISO-8859-1", "\xe4\x80", "ä\u0080"},
        {"iso-8859-15", "\xa4\xe4", "€ä"},
        {"ISO8859-15", "\xbd\x80", "œ\u0080"},
        {"ISO_8859-15", "\xa6", "Š"},
        {"latin9", "\xa4", "€"},
        {"iso-8859-2", "\xa1\xff", "Ą˙"},
        {"windows-1252", "\x80\x9f\xe4", "€Ÿä"},
        {"CP1252", "\x80", "€"},
        {"windows-1250", "\x8a\x9f\xfe", "Šźţ"},
        {"windows-1251", "\x80\xc0\xff", "ЂАя"},
        {"cp1251", "\xcf", "П"},
        {"KOI8-R", "\x80\xc0\xff", "─юЪ"},
        {"iso-8859-7", "\xe4", "ä"},
        {"nobody-knows", "\x80\xa4\xff", "\u0080¤ÿ"},
        {"ANSI_X3.4-1968", "\xe4", "ä"},

        {"IBM-850", "", ""},
        {"GB18030", "", ""},
        {"Shift_JIS", "", ""},
        {"utf8", "", ""},
    };
    for (const auto& c : k_cases) {
        const auto name = std::string(c.encoding) + ' ';
        const std::string packet =
            encoded(c.encoding, "<agent_data agent_name='" + std::string(c.byte) + "'/>");
        CHECK_EQ(name + verdict(packet), name + "well-formed " + std::string(c.utf8));
    }
    // A byte that the encoding has not.
    CHECK_EQ(verdict(encoded("windows-1252", "<agent_data agent_name='a'>\x81</agent_data>")), "malformed a");
}

void no_encoding_hides_a_doctype() {
    for (const std::string_view encoding :
         {"UTF-8", "iso-8859-1", "iso-8859-15", "windows-1252", "koi8-r", "nobody-knows", "utf8", "UTF-16"})
        CHECK_EQ(verdict(encoded(encoding, "<!DOCTYPE a [<!ENTITY x SYSTEM 'y'>]><agent_data/>")), "doctype");
    // With an encoding that we only guess at, a start tag need not be one to others.
    CHECK_EQ(verdict(encoded("nobody-knows", "<agent_data/><!-- <!DOCTYPE a> -->")), "doctype");
    CHECK_EQ(verdict(encoded("nobody-knows", "<agent/><!-- <!DOCTYPE a> -->")), "doctype");
    CHECK_EQ(verdict(encoded("koi8-r", "<agent_data/><!-- <!DOCTYPE a> -->")), "well-formed");
    // In these even a DOCTYPE would be other bytes.
    for (const std::string_view encoding :
         {"UTF-7", "utf7", "UTF-32", "UCS-2", "ISO-10646-UCS-4", "ISO-2022-JP", "HZ", "EBCDIC-CP-US", "cp037",
          "CP37", "IBM-1047", "ibm500", "x-ibm-273", "csIBM037", "johab", "posix-bc", "MIME-B",
          "x-user-symbol"})
        CHECK_EQ(std::string(encoding) + ' ' + verdict(encoded(encoding, "<agent_data agent_name='a'/>")),
                 std::string(encoding) + " doctype");
}

void a_map_gives_every_byte_once() {
    for (const std::string_view name :
         {"iso-8859-15", "iso-8859-2", "windows-1252", "windows-1250", "windows-1251", "koi8-r", "x"}) {
        std::array<int, 256> map{};
        const Alphabet alphabet = fill_map(name, map);
        CHECK(alphabet == (name == "x" ? Alphabet::guessed : Alphabet::known));
        for (int byte = 0; byte < 0x80; ++byte)
            CHECK_EQ(map[static_cast<std::size_t>(byte)], byte);
        std::ranges::sort(map);
        for (std::size_t i = 1; i < map.size(); ++i)
            CHECK_MSG(map[i] == -1 || (map[i] > map[i - 1] && map[i] < 0xffff), std::string(name));
    }
    std::array<int, 256> map{};
    CHECK(fill_map("cp" + std::string(100'000, '5'), map) == Alphabet::foreign);
    CHECK(fill_map(std::string(100'000, 'x'), map) == Alphabet::guessed);
    CHECK(fill_map("", map) == Alphabet::guessed);
}

void a_human_may_let_a_doctype_through() {
    constexpr Case k_cases[] = {
        {"<!DOCTYPE agent_data><agent_data agent_name='a'/>", "well-formed a"},
        {"<!DOCTYPE a [<!ENTITY x 'y'>]><agent_data agent_name='&x;'/>", "well-formed y"},
        {"<!DOCTYPE a [<!ATTLIST agent_data agent_name CDATA 'a'>]><agent_data/>", "well-formed a"},
        {"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><agent_data agent_name='a'/>", "well-formed a"},
        {"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><agent_data agent_name='a'>&x;</agent_data>",
         "well-formed a"},
        {"<!DOCTYPE a [<!ENTITY % x SYSTEM 'file:///etc/passwd'> %x;]><agent_data agent_name='a'/>",
         "well-formed a"},
        {"<!DOCTYPE a><agent/>", "wrong root"},
        {"<!DOCTYPE a", "malformed"},
        {"", "malformed"},
    };
    check_all(k_cases, Doctype::allow);
    CHECK_EQ(verdict(encoded("UTF-7", "<agent_data/>"), Doctype::allow), "malformed");
    // It holds for the one packet only.
    ContentChecker checker;
    CHECK_EQ(verdict(checker, k_cases[0].packet, Doctype::allow), k_cases[0].verdict);
    CHECK_EQ(verdict(checker, k_cases[0].packet), "doctype");
}

[[nodiscard]] std::string packet_of(std::string_view inside) {
    return "<agent_data agent_name='a'>" + std::string(inside) + "</agent_data>";
}

// Whatever one packet was, the next is judged as if it had come first, and little memory stays.
void a_checker_is_reused() {
    ContentChecker checker;
    const std::string packets[] = {
        packet_of(""),
        packet_of("<"),
        "",
        utf16("<!DOCTYPE a>", true),
        packet_of(repeat("<a>", 100'000)),
        encoded("koi8-r", "<agent_data agent_name='\xc0'/>"),
        "<agent_data agent_name='\xc0'/>",
        encoded("UTF-7", "x"),
        "<agent/>",
        packet_of(std::string(500'000, 'x')),
        "<agent_data a='" + std::string(500'000, 'x') + "'/>",
    };
    for (const std::string& first : packets)
        for (const std::string& second : packets) {
            (void)checker.check(bytes_of(first));
            CHECK(checker.kept_memory() <= 256 << 10);
            CHECK_EQ(verdict(checker, second), verdict(second));
        }
}

// expat gets a packet in blocks: where they end must not matter.
void the_cut_between_blocks_is_not_seen() {
    constexpr std::size_t k_cut = 64 << 10;
    const std::string_view inside = "<m a='ä€'>€<![CDATA[ä]]>&amp;<!-- ü --><?p i?></m>";
    ContentChecker checker;
    for (std::size_t before = 0; before <= inside.size(); ++before) {
        const std::string start = "<agent_data agent_name='ä'>";
        const std::string padding(k_cut - start.size() - before, ' ');
        CHECK_EQ(verdict(checker, start + padding + std::string(inside) + "</agent_data>"), "well-formed ä");
        CHECK_EQ(verdict(checker, start + padding + std::string(inside)), "malformed ä");
    }
    const std::string_view start = "<agent_data agent_name='ä€'/>";
    for (std::size_t before = 0; before <= start.size(); ++before)
        CHECK_EQ(verdict(checker, std::string(k_cut - before, ' ') + std::string(start)), "well-formed ä€");
    const std::string_view doctype = "<!DOCTYPE a [<!ENTITY x 'y'>]><agent_data/>";
    for (std::size_t before = 0; before <= doctype.size(); ++before)
        CHECK_EQ(verdict(checker, std::string(k_cut - before, ' ') + std::string(doctype)), "doctype");
    CHECK_EQ(verdict(checker, std::string(k_cut, ' ')), "malformed");
    CHECK_EQ(verdict(checker, packet_of(std::string(2 * k_cut - packet_of("").size(), 'x'))),
             "well-formed a");
}

struct Cost {
    std::string verdict;
    std::size_t peak;
    double seconds;
};

[[nodiscard]] Cost cost(const std::string& packet, Doctype rule = Doctype::refuse) {
    ContentChecker checker;
    const auto start = std::chrono::steady_clock::now();
    std::string found = verdict(checker, packet, rule);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    CHECK(checker.peak_memory() <= content_memory_cap(packet.size()));
    CHECK(checker.kept_memory() <= 256 << 10);
    return {std::move(found), checker.peak_memory(), took.count()};
}

constexpr double k_patience = 2; // seconds; none takes a tenth of that on an idle machine

void the_largest_packets_of_agents_pass() {
    const std::string module =
        "<module><name><![CDATA[CPU]]></name><type>generic_data</type><data>1</data></module>\n";
    const std::string many = packet_of(repeat(module, 2'000'000 / module.size()));
    const Cost usual = cost(many);
    CHECK_EQ(usual.verdict, "well-formed a");
    CHECK_MSG(usual.peak < 256 << 10, std::to_string(usual.peak));
    CHECK(usual.seconds < k_patience);
    const std::string large[] = {
        packet_of(std::string(2'000'000, 'x')),
        packet_of("<![CDATA[" + std::string(2'000'000, 'x') + "]]>"),
        packet_of("<!--" + std::string(2'000'000, 'x') + "-->"),
        packet_of("<m d='" + std::string(2'000'000, 'x') + "'/>"),
        packet_of("<m d='" + repeat("ä", 1'000'000) + "'/>"),
        encoded("koi8-r", packet_of("<m d='" + std::string(2'000'000, '\x80') + "'/>")),
        utf16(packet_of("<m d='" + std::string(1'000'000, 'x') + "'/>"), true),
    };
    for (const std::string& packet : large) {
        const Cost one = cost(packet);
        CHECK_EQ(one.verdict, "well-formed a");
        CHECK_MSG(one.seconds < k_patience, std::to_string(one.seconds));
    }
    const std::string name(1'900'000, 'n');
    CHECK(cost("<agent_data agent_name='" + name + "'/>").verdict == "well-formed " + name);
}

void bombs_end_in_bounded_memory_and_time() {
    std::string attributes = "<agent_data agent_name='a'";
    for (int i = 0; i < 150'000; ++i)
        attributes += " a" + std::to_string(i) + "=''";
    std::string names;
    for (int i = 0; names.size() < 2'000'000; ++i)
        names += "<a" + std::to_string(i) + "/>";
    const struct {
        std::string packet;
        std::string_view verdict;
    } k_bombs[] = {
        {packet_of(repeat("<a>", 666'000)), "too complex a"},
        {packet_of(repeat("<a>", 200'000) + repeat("</a>", 200'000)), "too complex a"},
        {attributes + "/>", "too complex"},
        {packet_of(names), "too complex a"},
    };
    for (const auto& bomb : k_bombs) {
        const Cost one = cost(bomb.packet);
        CHECK_EQ(one.verdict, bomb.verdict);
        CHECK_MSG(one.peak < 16 << 20, std::to_string(one.peak));
        CHECK_MSG(one.seconds < k_patience, std::to_string(one.seconds));
    }
    // As deep and wide as an agent will never be.
    CHECK_EQ(cost(packet_of(repeat("<a>", 5'000) + repeat("</a>", 5'000))).verdict, "well-formed a");
}

void the_largest_files_of_all_are_bounded() {
    constexpr std::size_t k_size = 64 << 20;
    CHECK_EQ(content_memory_cap(~std::size_t{0}), content_memory_cap(k_size));
    CHECK(content_memory_cap(k_size) <= 32 << 20);
    CHECK(content_memory_cap(0) >= 1 << 20);
    const Cost streamed = cost(packet_of(std::string(k_size, 'x')));
    CHECK_EQ(streamed.verdict, "well-formed a");
    CHECK(streamed.peak < 4 << 20);
    const Cost kept = cost(packet_of("<m d='" + std::string(k_size, 'x') + "'/>"));
    CHECK_EQ(kept.verdict, "too complex a");
    CHECK_MSG(kept.seconds < k_patience, std::to_string(kept.seconds));
}

void entities_are_bounded_too() {
    std::string lol = "<!DOCTYPE a [<!ENTITY a0 'lollollollol'>";
    for (int i = 1; i < 12; ++i)
        lol +=
            "<!ENTITY a" + std::to_string(i) + " '" + repeat("&a" + std::to_string(i - 1) + ";", 10) + "'>";
    const std::string bombs[] = {
        lol + "]>" + packet_of("&a11;"),
        lol + "]><agent_data agent_name='&a11;'/>",
        "<!DOCTYPE a [<!ENTITY x '" + std::string(1'000'000, 'x') + "'>]>" +
            packet_of(repeat("&x;", 300'000)),
    };
    for (const std::string& bomb : bombs) {
        CHECK_EQ(cost(bomb).verdict, "doctype");
        const Cost released = cost(bomb, Doctype::allow);
        CHECK(released.verdict.starts_with("too complex"));
        CHECK_MSG(released.seconds < k_patience, std::to_string(released.seconds));
    }
}

void a_heap_keeps_to_its_cap() {
    CappedHeap heap;
    heap.start(1000);
    CHECK(CappedHeap::take(1) == nullptr); // no heap is in use
    const CappedHeap::Use use(heap);
    void* first = CappedHeap::take(600);
    CHECK(first != nullptr && heap.live() == 600 && heap.peak() == 600);
    CHECK(CappedHeap::take(401) == nullptr);
    CHECK(CappedHeap::take(~std::size_t{0}) == nullptr);
    CHECK(CappedHeap::resize(first, 1001) == nullptr);
    CHECK(CappedHeap::resize(first, ~std::size_t{0}) == nullptr);
    CHECK_EQ(heap.live(), 600U);
    first = CappedHeap::resize(first, 1000);
    CHECK(first != nullptr && heap.live() == 1000);
    first = CappedHeap::resize(first, 10);
    CHECK(first != nullptr && heap.live() == 10 && heap.peak() == 1000);
    heap.start(5); // less than is in use
    CHECK_EQ(heap.peak(), 10U);
    CHECK(CappedHeap::take(1) == nullptr);
    CappedHeap::give(first);
    CappedHeap::give(nullptr);
    CHECK_EQ(heap.live(), 0U);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(real_packets_are_well_formed),
        GATE_TEST(packets_are_judged_as_they_are),
        GATE_TEST(a_doctype_is_refused_however_it_is_written),
        GATE_TEST(utf16_is_read),
        GATE_TEST(single_byte_encodings_are_read),
        GATE_TEST(no_encoding_hides_a_doctype),
        GATE_TEST(a_map_gives_every_byte_once),
        GATE_TEST(a_human_may_let_a_doctype_through),
        GATE_TEST(a_checker_is_reused),
        GATE_TEST(the_cut_between_blocks_is_not_seen),
        GATE_TEST(the_largest_packets_of_agents_pass),
        GATE_TEST(bombs_end_in_bounded_memory_and_time),
        GATE_TEST(the_largest_files_of_all_are_bounded),
        GATE_TEST(entities_are_bounded_too),
        GATE_TEST(a_heap_keeps_to_its_cap),
    };
    return cmocka_run_group_tests_name("spool_content", tests, nullptr, nullptr);
}
