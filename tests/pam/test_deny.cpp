// deny=: the list of users who are kept out, in every condition that its file can be in.
#include "tests/pam/stack.h"

#include <sys/stat.h>

using namespace gate::test;

namespace {

std::string file() {
    return work_dir() + "/deny";
}

// The code for a user with this file. Root owns everything, unless another fault is asked for.
int code(const std::string& options, const char* user, Faults with = {.root_owns_all = true}) {
    faults = with;
    const int answer = module_code(options + " deny=" + file(), PAMTEST_ACCOUNT, user);
    faults = {};
    return answer;
}

void who_is_listed_is_refused_and_nobody_else() {
    write_file(file(), "# kept out\n\n  second\t\nroot\r\n", 0644);
    for (const char* options :
         {"", "onerr=fail", "onerr=succeed", "group=pandora", "group=pandora scope=members"}) {
        CHECK_EQ(code(options, "pandora"), PAM_SUCCESS);
        CHECK_EQ(code(options, "second"), PAM_PERM_DENIED);
        CHECK(has(events.at(0), "\"rule\":\"deny\"") && has(events[0], "is listed in " + file()));
        CHECK_EQ(lines.size(), 1U);
    }
    CHECK_EQ(code("", "root"), PAM_PERM_DENIED);
    CHECK_EQ(code("group=pandora scope=members", "root"), PAM_IGNORE); // the line does not mean root
    CHECK_EQ(code("shell=/bin/false", "second"), PAM_PERM_DENIED);
}

void an_empty_list_keeps_nobody_out() {
    write_file(file(), "", 0644);
    CHECK_EQ(code("", "pandora"), PAM_SUCCESS);
    write_file(file(), "\n\n#pandora\n", 0644);
    CHECK_EQ(code("", "pandora"), PAM_SUCCESS);
}

void every_phase_asks_it() {
    write_file(file(), "pandora\n", 0644);
    const std::pair<pamtest_ops, int> phases[] = {{PAMTEST_AUTHENTICATE, PAM_AUTH_ERR},
                                                  {PAMTEST_ACCOUNT, PAM_PERM_DENIED},
                                                  {PAMTEST_OPEN_SESSION, PAM_SESSION_ERR}};
    for (const auto& [op, expected] : phases) {
        faults.root_owns_all = true;
        CHECK_EQ(module_code("deny=" + file(), op, "pandora"), expected);
        CHECK_EQ(module_code("deny=" + file(), op, "second"), PAM_SUCCESS);
        faults = {};
    }
}

// A name service that ignores case, or knows aliases, spells the account otherwise than the client.
void both_spellings_of_a_name_count() {
    for (const char* listed : {"alias\n", "pandora\n"}) {
        write_file(file(), listed, 0644);
        CHECK_EQ(code("", "alias", {.root_owns_all = true, .alias_of_pandora = true}), PAM_PERM_DENIED);
    }
    write_file(file(), "other\n", 0644);
    CHECK_EQ(code("", "alias", {.root_owns_all = true, .alias_of_pandora = true}), PAM_SUCCESS);
}

// The one trouble that onerr=succeed is about.
void a_missing_file_lists_nobody_only_with_onerr_succeed() {
    ::unlink(file().c_str());
    CHECK_EQ(code("", "pandora"), PAM_SERVICE_ERR);
    CHECK(has(events.at(0), "\"rule\":\"deny\"") && has(events[0], "file is missing"));
    CHECK_EQ(code("onerr=fail", "pandora"), PAM_SERVICE_ERR);
    CHECK_EQ(code("onerr=succeed", "pandora"), PAM_SUCCESS);
    CHECK_EQ(code("group=pandora scope=members", "admin"), PAM_IGNORE);           // not asked
    CHECK_EQ(code("onerr=succeed shell=/bin/false", "pandora"), PAM_PERM_DENIED); // the others hold
}

struct Trouble {
    const char* words;
    void (*make)();
    Faults with = {.root_owns_all = true};
};

const Trouble k_troubles[] = {
    {"wrong owner", [] { write_file(file(), "second\n", 0644); }, {.nobody_owns_all = true}},
    {"writable by group or others", [] { write_file(file(), "second\n", 0664); }},
    {"writable by group or others", [] { write_file(file(), "second\n", 0646); }},
    {"symbolic link",
     [] {
         write_file(file() + ".real", "second\n", 0644);
         CHECK_EQ(::symlink("deny.real", file().c_str()), 0);
     }},
    {"symbolic link", [] { CHECK_EQ(::symlink("nothing", file().c_str()), 0); }},
    {"symbolic link", [] { CHECK_EQ(::symlink("/dev/null", file().c_str()), 0); }},
    {"not a regular file", [] { CHECK_EQ(::mkdir(file().c_str(), 0755), 0); }},
    {"not a regular file", [] { CHECK_EQ(::mkfifo(file().c_str(), 0644), 0); }},
    {"larger than it may be", [] { write_file(file(), std::string(1024 * 1024 + 1, '\n'), 0644); }},
    {"larger than it may be",
     [] {
         write_file(file(), "second\n", 0644);
         CHECK_EQ(::truncate(file().c_str(), off_t{1} << 40), 0); // sparse
     }},
    {"NUL byte", [] { write_file(file(), std::string("second\n\0\n", 9), 0644); }},
    {"too long", [] { write_file(file(), "second\n" + std::string(256, 'x') + "\n", 0644); }},
    {"cannot read file",
     [] { write_file(file(), "second\n", 0644); },
     {.root_owns_all = true, .read_error = EIO}},
};

void any_other_trouble_refuses_everybody_whatever_onerr_says() {
    for (const Trouble& trouble : k_troubles) {
        std::error_code ignored;
        std::filesystem::remove_all(file(), ignored);
        trouble.make();
        for (const char* options : {"", "onerr=fail", "onerr=succeed", "quiet onerr=succeed"}) {
            for (const char* user : {"pandora", "second"}) {
                const int answer = code(options, user, trouble.with);
                CHECK_MSG(answer == PAM_SERVICE_ERR, std::string(trouble.words) + ": " + name_of(answer));
                CHECK_MSG(events.size() == 1 && has(events[0], "\"rule\":\"deny\""), trouble.words);
                CHECK_MSG(has(events[0], trouble.words), events[0]);
                CHECK_EQ(lines.size(), 1U); // quiet or not
            }
        }
    }
    std::filesystem::remove_all(file());
    write_file(file(), std::string(1024 * 1024, '\n'), 0644); // the control: as large as it may be
    CHECK_EQ(code("", "pandora"), PAM_SUCCESS);
}

} // namespace

GATE_PAM_MAIN("pam_deny", GATE_TEST(who_is_listed_is_refused_and_nobody_else),
              GATE_TEST(an_empty_list_keeps_nobody_out), GATE_TEST(every_phase_asks_it),
              GATE_TEST(both_spellings_of_a_name_count),
              GATE_TEST(a_missing_file_lists_nobody_only_with_onerr_succeed),
              GATE_TEST(any_other_trouble_refuses_everybody_whatever_onerr_says))
