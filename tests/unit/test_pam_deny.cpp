// pam_pandora/deny: the form of ftpusers, and files that are not what they should be.
#include "tests/unit/support.h"

#include "pam_pandora/deny.h"

#include <sys/stat.h>

using namespace gate;
using namespace gate::pam;

namespace {

bool in_list(std::string_view list, std::string_view name, std::string_view other = "\n") {
    const auto answer = lists(list, name, other);
    CHECK_OK(answer);
    return *answer;
}

void names_are_whole_lines() {
    for (const char* list : {"root\n", "root", "a\nroot\nb\n", "a\nroot", "  root\t\n", "root\r\n",
                             "\n\n# x\nroot\n", "\troot \r\nb"})
        CHECK_MSG(in_list(list, "root"), list);
    for (const char* list : {"", "\n", "#root\n", "  # root\n", "# x\n#root", "roo\nt\n", "rootx\n",
                             "xroot\n", "ro ot\n", "ROOT\n", "root root\n", "root # comment\n", "root:x\n"})
        CHECK_MSG(!in_list(list, "root"), list);
    CHECK(in_list("CORP\\ada lovelace\n", "CORP\\ada lovelace"));
}

void an_editors_mark_in_front_hides_nobody() {
    CHECK(in_list("\xEF\xBB\xBFroot\r\nada\r\n", "root"));
    CHECK(in_list("\xEF\xBB\xBFroot\r\nada\r\n", "ada"));
    CHECK(in_list("ada\n\xEF\xBB\xBFroot\n", "\xEF\xBB\xBFroot")); // elsewhere it is of a name
    CHECK(!in_list("\xEF\xBB\xBF", ""));
}

void either_spelling_counts() {
    CHECK(in_list("Alice\n", "alice", "Alice"));
    CHECK(in_list("alice\n", "alice", "Alice"));
    CHECK(!in_list("ALICE\n", "alice", "Alice"));
}

void no_line_means_an_empty_name() {
    CHECK(!in_list("\n\n \n", "", ""));
    CHECK(!in_list("#\n", "#", "#"));
}

void what_is_no_list_of_users_is_an_error_also_behind_a_match() {
    const std::string nul = std::string("root\nx\0y\n", 9);
    const std::string longest(255, 'a');
    CHECK(in_list(longest + "\n", longest));
    CHECK(in_list("# " + std::string(100'000, 'x') + "\nroot\n", "root"));
    CHECK(in_list(std::string(1000, ' ') + "root\n", "root"));
    for (const std::string& list :
         {nul, std::string("#\0\n", 3), "root\n" + longest + "a\n", longest + "a"}) {
        for (const char* name : {"root", "nobody"}) {
            const auto answer = lists(list, name, name);
            CHECK(!answer && answer.error().code == Errc::bad_input);
        }
    }
}

// The owner is checked first, and these are whoever's the tester is: tests/pam/test_deny.cpp has the rest.
void what_is_there_is_told_from_what_is_missing() {
    const test::TempDir dir;
    const auto code = [&](const std::string& name) {
        const auto answer = file_lists(dir.path() + name, "root", "root");
        CHECK(!answer);
        return answer.error().code;
    };
    CHECK_EQ(code("/nothing"), Errc::missing);
    CHECK_EQ(code(""), Errc::not_regular); // a directory
    CHECK_EQ(::symlink("nothing", (dir.path() + "/dangling").c_str()), 0);
    CHECK_EQ(code("/dangling"), Errc::not_regular);
    CHECK_EQ(::mkfifo((dir.path() + "/fifo").c_str(), 0644), 0);
    CHECK_EQ(code("/fifo"), Errc::not_regular); // and nobody waits for a writer
    test::write_file(dir.path() + "/file", "");
    CHECK_EQ(code("/file/below"), Errc::system); // ENOTDIR
}

void random_lists_agree_with_a_plain_reading() {
    auto random = test::seeded();
    for (int i = 0; i < 20'000; ++i) {
        std::string list;
        for (auto n = random() % 30; n > 0; --n)
            list += "ab#  \t\n\n\r"[random() % 9];
        bool expected = false;
        for (std::string rest = list; !rest.empty();) {
            const size_t end = std::min(rest.find('\n'), rest.size());
            std::string line = rest.substr(0, end);
            rest.erase(0, end + 1);
            while (!line.empty() && std::strchr(" \t\r", line.front()) != nullptr)
                line.erase(0, 1);
            while (!line.empty() && std::strchr(" \t\r", line.back()) != nullptr)
                line.pop_back();
            expected = expected || line == "ab";
        }
        CHECK_EQ(in_list(list, "ab"), expected);
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {GATE_TEST(names_are_whole_lines),
                                GATE_TEST(an_editors_mark_in_front_hides_nobody),
                                GATE_TEST(either_spelling_counts),
                                GATE_TEST(no_line_means_an_empty_name),
                                GATE_TEST(what_is_no_list_of_users_is_an_error_also_behind_a_match),
                                GATE_TEST(what_is_there_is_told_from_what_is_missing),
                                GATE_TEST(random_lists_agree_with_a_plain_reading)};
    return cmocka_run_group_tests_name("pam_deny", tests, nullptr, nullptr);
}
