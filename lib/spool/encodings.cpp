#include "lib/spool/encodings.h"

#include <array>
#include <charconv>

namespace gate::spool {

namespace {

// The upper bytes, up to 0xFF; what a table does not reach down to is as in Latin-1. U+0000: no character.
using Table = std::u16string_view;
using namespace std::literals;

constexpr Table k_iso8859_2 = u"\u00a0Ą˘Ł¤ĽŚ§¨ŠŞŤŹ\u00adŽŻ°ą˛ł´ľśˇ¸šşťź˝žż"
                              u"ŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢß"
                              u"ŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙"sv;
constexpr Table k_iso8859_15 = u"\u00a0¡¢£€¥Š§š©ª«¬\u00ad®¯°±²³Žµ¶·ž¹º»ŒœŸ¿"
                               u"ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞß"
                               u"àáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ"sv;
constexpr Table k_windows_1250 = u"€\0‚\0„…†‡\0‰Š‹ŚŤŽŹ\0‘’“”•–—\0™š›śťžź"
                                 u"\u00a0ˇ˘Ł¤Ą¦§¨©Ş«¬\u00ad®Ż°±˛ł´µ¶·¸ąş»Ľ˝ľż"
                                 u"ŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢß"
                                 u"ŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙"sv;
constexpr Table k_windows_1251 = u"ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏђ‘’“”•–—\0™љ›њќћџ"
                                 u"\u00a0ЎўЈ¤Ґ¦§Ё©Є«¬\u00ad®Ї°±Ііґµ¶·ё№є»јЅѕї"
                                 u"АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ"
                                 u"абвгдежзийклмнопрстуфхцчшщъыьэюя"sv;
constexpr Table k_windows_1252 = u"€\0‚ƒ„…†‡ˆ‰Š‹Œ\0Ž\0\0‘’“”•–—˜™š›œ\0žŸ"
                                 u"\u00a0¡¢£¤¥¦§¨©ª«¬\u00ad®¯°±²³´µ¶·¸¹º»¼½¾¿"
                                 u"ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞß"
                                 u"àáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ"sv;
constexpr Table k_koi8_r = u"─│┌┐└┘├┤┬┴┼▀▄█▌▐░▒▓⌠■∙√≈≤≥\u00a0⌡°²·÷"
                           u"═║╒ё╓╔╕╖╗╘╙╚╛╜╝╞╟╠╡Ё╢╣╤╥╦╧╨╩╪╫╬©"
                           u"юабцдефгхийклмнопярстужвьызшэщчъ"
                           u"ЮАБЦДЕФГХИЙКЛМНОПЯРСТУЖВЬЫЗШЭЩЧЪ"sv;
static_assert(k_iso8859_2.size() == 96 && k_iso8859_15.size() == 96);
static_assert(k_windows_1250.size() == 128 && k_windows_1251.size() == 128 && k_windows_1252.size() == 128 &&
              k_koi8_r.size() == 128);

struct Named {
    std::string_view name;
    Table table;
};
constexpr Named k_known[] = {
    {"iso885915", k_iso8859_15},
    {"latin9", k_iso8859_15},
    {"iso88592", k_iso8859_2},
    {"latin2", k_iso8859_2},
    {"windows1252", k_windows_1252},
    {"cp1252", k_windows_1252},
    {"ibm1252", k_windows_1252},
    {"windows1250", k_windows_1250},
    {"cp1250", k_windows_1250},
    {"windows1251", k_windows_1251},
    {"cp1251", k_windows_1251},
    {"koi8r", k_koi8_r},
    {"iso88591", {}},
    {"latin1", {}},
    {"ansix341968", {}}, // the locale "C", as nl_langinfo(3) calls it
};

// What iconv(3) of glibc and Perl's Encode know under such names does not extend ASCII, or not as far as the
// characters of markup go. Anywhere in the name.
constexpr std::string_view k_foreign[] = {
    "ebcdic", "utf7", "utf16",   "utf32",      "ucs",        "unicode", "wchar",    "10646", "2022",
    "2033",   "5427", "5428",    "9036",       "11548",      "isoir",   "osf",      "brf",   "e13b",
    "inis",   "koi7", "greek7",  "greekccitt", "latingreek", "arabic7", "asmo",     "nats",  "johab",
    "7bit",   "mime", "posixbc", "gsm",        "symbol",     "dingbat", "csiso150",
};
constexpr std::string_view k_hz = "hz";

struct Pages {
    unsigned first;
    unsigned last;
};
// The code pages that extend ASCII, of those that a number names; most others are EBCDIC.
constexpr Pages k_pages[] = {{367, 367}, {437, 437}, {700, 799},   {813, 813},   {819, 819},   {850, 869},
                             {874, 874}, {912, 916}, {920, 923},   {932, 932},   {936, 936},   {943, 943},
                             {949, 950}, {970, 970}, {1004, 1020}, {1124, 1129}, {1133, 1133}, {1250, 1258}};

constexpr std::size_t k_longest_name = 40; // those of iconv have up to 28; a longer one is nobody's

struct PlainName {
    std::array<char, k_longest_name> text{};
    std::size_t size = 0;
    [[nodiscard]] std::string_view view() const { return {text.data(), size}; }
};

// Letters in lower case and digits; what does not fit is left out.
[[nodiscard]] PlainName plain(std::string_view name) {
    PlainName out;
    for (char c : name) {
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
        if (((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) && out.size < out.text.size())
            out.text[out.size++] = c;
    }
    return out;
}

// `cp037`, `ibm500`, `x-ibm-1047`, `csibm273`: a code page that does not extend ASCII. (XML wants a letter
// first.)
[[nodiscard]] bool is_foreign_page(std::string_view name) {
    const std::size_t at = name.find_first_of("0123456789");
    if (at == name.npos)
        return false;
    const std::string_view before = name.substr(0, at);
    if (!before.ends_with("cp") && !before.ends_with("ibm"))
        return false;
    unsigned page = 0;
    const auto [end, error] = std::from_chars(name.data() + at, name.data() + name.size(), page);
    if (error != std::errc{})
        return true;
    for (const Pages& pages : k_pages)
        if (page >= pages.first && page <= pages.last)
            return false;
    return true;
}

[[nodiscard]] bool is_foreign(std::string_view name) {
    if (name == k_hz || is_foreign_page(name))
        return true;
    for (const std::string_view part : k_foreign)
        if (name.find(part) != name.npos)
            return true;
    return false;
}

void fill(Table table, std::span<int, 256> map) {
    for (int byte = 0; byte < 256; ++byte)
        map[static_cast<std::size_t>(byte)] = byte;
    const std::size_t first = map.size() - table.size();
    for (std::size_t i = 0; i < table.size(); ++i)
        map[first + i] = table[i] == u'\0' ? -1 : table[i];
}

} // namespace

Alphabet fill_map(std::string_view name, std::span<int, 256> map) noexcept {
    const PlainName key = plain(name);
    for (const Named& known : k_known)
        if (key.view() == known.name) {
            fill(known.table, map);
            return Alphabet::known;
        }
    if (is_foreign(key.view()))
        return Alphabet::foreign;
    fill({}, map);
    return Alphabet::guessed;
}

} // namespace gate::spool
