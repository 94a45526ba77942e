// forcecmd/front/words: the words of a command line, compared with those of the shell of this machine.
#include "tests/unit/support.h"

#include "lib/spool/words.h"

#include <sys/wait.h>

using namespace gate;
using spool::split_words;

namespace {

// The words, each in <>; "refused" when the line was not understood.
std::string words_of(std::string_view line) {
    const auto words = split_words(line);
    if (!words)
        return "refused";
    std::string out;
    for (const std::string& word : *words)
        out += '<' + word + '>';
    return out;
}

constexpr std::pair<std::string_view, std::string_view> k_lines[] = {
    {"", ""},
    {"  \t ", ""},
    {"scp -t /x", "<scp><-t></x>"},
    {"  scp\t-t  /x  ", "<scp><-t></x>"},
    {"scp -t 'a b'", "<scp><-t><a b>"},
    {"scp -t \"a b\"", "<scp><-t><a b>"},
    {"scp -t a\\ b", "<scp><-t><a b>"},
    {"''", "<>"},
    {"\"\"", "<>"},
    {"a ''", "<a><>"},
    {"a''b", "<ab>"},
    {"a'b'\"c\"\\d", "<abcd>"},
    {"'a'\\''b'", "<a'b>"},
    {"'\\'", "<\\>"},
    {"\"\\a\"", "<\\a>"},
    {"\"\\$\\`\\\"\\\\\"", "<$`\"\\>"},
    {"'$(id)`id`;|&<>()*?[#\n'", "<$(id)`id`;|&<>()*?[#\n>"},
    {"\";|&<>()*?[#\n'\"", "<;|&<>()*?[#\n'>"},
    {"a\\\nb", "<ab>"},
    {"\"a\\\nb\"", "<ab>"},
    {"\\\n", ""},
    {"a#b", "<a#b>"},
    {"\\#a", "<#a>"},
    {"#a", "refused"},
    {"a #b", "refused"},
    {"\\\n#a", "refused"},
    {"~", "<~>"},
    {"~/x", "<~/x>"},
    {"a{b,c}", "<a{b,c}>"},
    {"a=b !x ]%^@+", "<a=b><!x><]%^@+>"},
    {"\xc3\xa9\x80\xff", "<\xc3\xa9\x80\xff>"},
    {"'", "refused"},
    {"a'b", "refused"},
    {"\"", "refused"},
    {"\"a\\\"", "refused"},
    {"a\\", "refused"},
    {"\"$x\"", "refused"},
    {"\"`id`\"", "refused"},
    {"scp -t x\nid", "refused"},
    {"scp -t x;id", "refused"},
};

void lines_are_split_as_written() {
    for (const auto& [line, expected] : k_lines)
        CHECK_MSG(words_of(line) == expected,
                  escape_visible(line) + " gives " + escape_visible(words_of(line)));
}

void special_characters_need_quotes() {
    for (const char c : std::string_view("`$;|&<>()*?[\n")) {
        const std::string s(1, c);
        for (const std::string& line : {s, "a" + s, s + "a", "a " + s + " b", "'a'" + s, "\"a\"" + s})
            CHECK_MSG(words_of(line) == "refused", escape_visible(line));
        CHECK_EQ(words_of("'" + s + "'"), "<" + s + ">");
        if (c != '\n')
            CHECK_EQ(words_of("\\" + s), "<" + s + ">");
        if (c != '$' && c != '`')
            CHECK_EQ(words_of("\"" + s + "\""), "<" + s + ">");
    }
}

void every_other_character_stands_for_itself() {
    for (unsigned u = 1; u < 256; ++u) {
        const char c = static_cast<char>(static_cast<unsigned char>(u));
        if (std::string_view("`$;|&<>()*?[\n \t\\'\"").find(c) != std::string_view::npos)
            continue;
        CHECK_EQ(words_of("a" + std::string(1, c)), "<a" + std::string(1, c) + ">");
    }
    CHECK_EQ(words_of(std::string_view("a\0b", 3)), "refused");
    CHECK_EQ(words_of(std::string_view("'\0'", 3)), "refused");
}

void length_and_number_are_bounded() {
    CHECK(split_words(std::string(spool::k_max_command, 'x')).has_value());
    CHECK(!split_words(std::string(spool::k_max_command + 1, 'x')).has_value());
    std::string line = "x";
    for (std::size_t i = 1; i < spool::k_max_words; ++i)
        line += " x";
    CHECK_EQ(split_words(line)->size(), spool::k_max_words);
    CHECK(!split_words(line + " x").has_value());
    CHECK_EQ(split_words(line + " ")->size(), spool::k_max_words);
}

// What /bin/sh makes of `printf '%s\0' X LINE`, for several lines in one shell.
std::string shell_words(const std::vector<std::string>& lines) {
    std::string script;
    for (const std::string& line : lines)
        script += "printf '%s\\0' X " + line + "\nprintf '\\1'\n";
    int ends[2];
    CHECK(::pipe2(ends, O_CLOEXEC) == 0);
    Fd out{ends[0]};
    Fd in{ends[1]};
    const pid_t child = ::fork();
    CHECK(child >= 0);
    if (child == 0) {
        ::dup2(in.get(), STDOUT_FILENO);
        ::execl("/bin/sh", "sh", "-c", script.c_str(), nullptr);
        ::_exit(127);
    }
    in.reset();
    std::string answer;
    char block[4096];
    for (ssize_t n = 0; (n = ::read(out.get(), block, sizeof block)) > 0;)
        answer.append(block, static_cast<std::size_t>(n));
    int status = -1;
    CHECK(::waitpid(child, &status, 0) == child);
    CHECK_EQ(status, 0);
    return answer;
}

std::string our_words(const std::vector<std::string>& lines) {
    std::string out;
    for (const std::string& line : lines) {
        out += std::string_view("X\0", 2);
        const auto words = split_words(line).value_or(std::vector<std::string>{});
        for (const std::string& word : words) {
            out += word;
            out += '\0';
        }
        out += '\1';
    }
    return out;
}

// Every line that is accepted means the same to the shell. `~` and `{` are left out: the one stands for
// itself here and is given its meaning by the virtual tree, the other is special to some shells.
void accepted_lines_mean_the_same_to_the_shell() {
    constexpr std::string_view k_pieces[] = {"a",  "b",  " ",   "\t",  "'",    "\"", "\\",       "\n",  "$",
                                             "`",  ";",  "|",   "&",   "<",    ">",  "(",        ")",   "*",
                                             "?",  "[",  "]",   "#",   "=",    "!",  "%",        "-t ", "\r",
                                             "'b", "a'", "b\"", "\\'", "\\\\", "''", "\xc3\xa9", "/",   "."};
    auto random = test::seeded();
    std::vector<std::string> batch;
    unsigned refused = 0;
    unsigned compared = 0;
    while (compared < 3000) {
        std::string line;
        for (auto n = 1 + random() % 12; n > 0; --n)
            line += k_pieces[random() % std::size(k_pieces)];
        if (!split_words(line)) {
            ++refused;
            continue;
        }
        batch.push_back(line);
        if (batch.size() < 100)
            continue;
        if (our_words(batch) != shell_words(batch)) {
            for (const std::string& one : batch)
                CHECK_MSG(our_words({one}) == shell_words({one}), escape_visible(one));
            CHECK(false);
        }
        compared += static_cast<unsigned>(batch.size());
        batch.clear();
    }
    print_message("lines compared with /bin/sh %u, refused %u\n", compared, refused);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(lines_are_split_as_written),
        GATE_TEST(special_characters_need_quotes),
        GATE_TEST(every_other_character_stands_for_itself),
        GATE_TEST(length_and_number_are_bounded),
        GATE_TEST(accepted_lines_mean_the_same_to_the_shell),
    };
    return cmocka_run_group_tests_name("drop_words", tests, nullptr, nullptr);
}
