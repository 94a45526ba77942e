// forcecmd/front/sftp: temporary names, RENAME and REMOVE. Only what this session itself has sent, and has
// not published, can be changed; what is published cannot.
#include "tests/unit/support.h"

#include "forcecmd/front/sftp/temporary.h"
#include "tests/unit/fake_sftp_client.h"

using namespace gate;
using namespace gate::test;
using spool::Reason;

namespace {

std::string no(Reason reason) {
    return "permission_denied " + spool::sentence(reason);
}

std::string rename(std::uint32_t id, std::string_view from, std::string_view to) {
    return request(Type::rename, id, str(from) + str(to));
}

void temporary_names_tell_the_final_one() {
    constexpr std::pair<std::string_view, std::string_view> k_names[] = {
        {"a.1.data.filepart", "a.1.data"},
        {".in.a.1.data", "a.1.data"},
        {"a.1.data(123).tmp", "a.1.data"},
        {"a.1.data.part", "a.1.data"},
        {"a.1.data.partial", "a.1.data"},
        {"a.1.data.tmp", "a.1.data"},
        {".a.1.data.Ab0xYz", "a.1.data"},
        {"a.1.data", ""},
        {"", ""},
        {".filepart", ""},
        {"x.filepart", ""},
        {"a.1.checksum.part", ""},
        {".in.", ""},
        {".in.x", ""},
        {".in...1.data", ""},
        {"../a.1.data.part", ""},
        {"a.1.data().tmp", ""},
        {"a.1.data(x).tmp", ""},
        {"(1).tmp", ""},
        {".a.1.data.Ab0xY", ""},
        {".a.1.data.Ab0x/z", ""},
        {"a.1.data.part.part", ""},
        {".a.1.data.Ab0xYzz", ""},
        {"a.1.data\n.part", ""},
    };
    for (const auto& [temporary, expected] : k_names)
        CHECK_MSG(drop::sftp::final_name(temporary).value_or("") == expected, escape_visible(temporary));
}

void a_temporary_name_is_published_when_it_is_renamed() {
    for (const std::string temporary : {"a.1.data.filepart", ".in.a.1.data", "a.1.data.tmp"}) {
        const Session s = sftp_session(
            open(1, temporary) + write(2, 0, 0, "hello") + close(3, 0) + by_path(Type::stat, 4, temporary) +
            by_path(Type::stat, 5, "a.1.data") + rename(6, temporary, "a.1.data") +
            by_path(Type::stat, 7, "a.1.data") + by_path(Type::stat, 8, temporary));
        CHECK_EQ(s.answers, "1 handle\n2 ok\n3 ok\n4 file 5\n5 no_such_file No such file\n6 ok\n7 file 5\n"
                            "8 no_such_file No such file\n");
        CHECK_EQ(s.delivered.size(), 1U);
        CHECK_EQ(s.delivered.at(0).first, "a.1.data");
        CHECK_EQ(s.delivered.at(0).second, "hello");
    }
}

void a_temporary_file_that_is_never_renamed_is_discarded() {
    const Session s = sftp_session(open(1, "a.1.data.part") + write(2, 0, 0, "hello") + close(3, 0));
    CHECK_EQ(s.answers, "1 handle\n2 ok\n3 ok\n");
    CHECK(s.delivered.empty());
    CHECK(s.calls.ends_with("abort a.1.data transfer.aborted\n"));
}

void the_refusal_of_the_final_name_comes_at_open() {
    const Session s = sftp_session(open(1, "b.7.data.part"),
                                   [](FakeDropbox& d) { d.refuse_begin["b.7.data"] = Reason::agent_name; });
    CHECK_EQ(s.answers, "1 " + no(Reason::agent_name) + "\n");
}

void a_rename_cannot_leave_data_in_or_the_policy() {
    for (const std::string target : {"/etc/cron.d/a.1.data", "conf/a.1.data", "../a.1.data", "."}) {
        const Session s =
            sftp_session(open(1, "a.1.data.part") + close(2, 0) + rename(3, "a.1.data.part", target));
        CHECK_EQ(s.lines.at(2), "3 " + no(Reason::name_path));
        CHECK(s.delivered.empty());
    }
    const Session s =
        sftp_session(open(1, "a.1.data.part") + close(2, 0) + rename(3, "a.1.data.part", "x.conf"));
    CHECK_EQ(s.lines.at(2), "3 " + no(Reason::name_remote_config));
    CHECK(s.delivered.empty());
}

void only_own_unpublished_files_can_be_renamed_or_removed() {
    // Another's: there or not, the answer is the same.
    CHECK_EQ(sftp_session(rename(1, "b.1.data", "c.1.data") + by_path(Type::remove, 2, "b.1.data") +
                          extension(3, "posix-rename@openssh.com", str("b.1.data") + str("c.1.data")))
                 .answers,
             "1 no_such_file No such file\n2 no_such_file No such file\n3 no_such_file No such file\n");
    // Own, but published.
    const Session s = sftp_session(open(1, "a.1.data") + close(2, 0) + rename(3, "a.1.data", "b.1.data") +
                                   by_path(Type::remove, 4, "a.1.data"));
    CHECK_EQ(s.lines.at(2), "3 " + no(Reason::foreign_file));
    CHECK_EQ(s.lines.at(3), "4 " + no(Reason::foreign_file));
    CHECK_EQ(s.delivered.size(), 1U);
    for (const std::string path : {"/etc/passwd", ".", "conf/x"})
        CHECK_EQ(sftp_session(by_path(Type::remove, 1, path)).answers,
                 "1 " + no(Reason::foreign_file) + "\n");
}

// sftp's `reput`, and WinSCP, which goes on with NAME.filepart.
void a_temporary_file_can_be_gone_on_with() {
    const Session s =
        sftp_session(open(1, "a.1.data.part", 0x1a) + write(2, 0, 0, "hello ") + close(3, 0) +
                     open(4, "a.1.data.part", 0x0e) + write(5, 0, 6, "world") +
                     fsetstat(6, 0, size_attrs(11)) + close(7, 0) + rename(8, "a.1.data.part", "a.1.data"));
    CHECK_EQ(s.answers, "1 handle\n2 ok\n3 ok\n4 handle\n5 ok\n6 ok\n7 ok\n8 ok\n");
    CHECK_EQ(s.delivered.size(), 1U);
    CHECK_EQ(s.delivered.at(0).second, "hello world");
}

// It published what was sent first.
void a_temporary_file_that_is_sent_again_is_the_later_one() {
    const std::string first = open(1, "a.1.data.part", 0x1a) + write(2, 0, 0, "the first") + close(3, 0);
    const Session again = sftp_session(first + open(4, "a.1.data.part", 0x1a) + write(5, 0, 0, "second") +
                                       close(6, 0) + rename(7, "a.1.data.part", "a.1.data"));
    CHECK_EQ(again.delivered.size(), 1U);
    CHECK_EQ(again.delivered.at(0).second, "second");
    // Two at a time: the one that was closed last.
    const Session together = sftp_session(open(1, "a.1.data.part", 0x1a) + open(2, "a.1.data.part", 0x1a) +
                                          write(3, 0, 0, "0") + write(4, 1, 0, "1") + close(5, 0) +
                                          close(6, 1) + rename(7, "a.1.data.part", "a.1.data"));
    CHECK_EQ(together.lines.at(6), "7 ok");
    CHECK_EQ(together.delivered.size(), 1U);
    CHECK_EQ(together.delivered.at(0).second, "1");
    // Renamed to a name that waits already.
    const Session renamed =
        sftp_session(open(1, "a.1.data.part", 0x1a) + write(2, 0, 0, "0") + close(3, 0) +
                     open(4, "a.1.data.tmp", 0x1a) + write(5, 1, 0, "1") + close(6, 1) +
                     rename(7, "a.1.data.tmp", "a.1.data.part") + rename(8, "a.1.data.part", "a.1.data"));
    CHECK_EQ(renamed.delivered.size(), 1U);
    CHECK_EQ(renamed.delivered.at(0).second, "1");
    // EXCL: it is there.
    const Session exclusive = sftp_session(first + open(4, "a.1.data.part", 0x3a));
    CHECK_EQ(exclusive.lines.at(3), "4 failure this session has sent a file of that name");
}

void a_removed_upload_is_gone() {
    const Session s =
        sftp_session(open(1, "a.1.data.part") + write(2, 0, 0, "x") + close(3, 0) +
                     by_path(Type::remove, 4, "a.1.data.part") + by_path(Type::stat, 5, "a.1.data.part") +
                     rename(6, "a.1.data.part", "a.1.data"));
    CHECK_EQ(s.lines.at(3), "4 ok");
    CHECK_EQ(s.lines.at(4), "5 no_such_file No such file");
    CHECK_EQ(s.lines.at(5), "6 no_such_file No such file");
    CHECK(s.delivered.empty());
}

// Renamed while it is open: it is published at CLOSE, and not before it is whole.
void a_rename_of_an_open_upload_publishes_at_close() {
    const Session s =
        sftp_session(open(1, "a.1.data.part") + write(2, 0, 0, "he") +
                     rename(3, "a.1.data.part", "a.1.data") + write(4, 0, 2, "llo") + close(5, 0));
    CHECK_EQ(s.answers, "1 handle\n2 ok\n3 ok\n4 ok\n5 ok\n");
    CHECK_EQ(s.delivered.at(0).second, "hello");
    CHECK(s.calls.ends_with("commit a.1.data 5\n"));
}

void a_hole_does_not_survive_a_rename() {
    const Session s = sftp_session(open(1, "a.1.data.part") + write(2, 0, 1, "x") + close(3, 0) +
                                   rename(4, "a.1.data.part", "a.1.data"));
    CHECK(s.delivered.empty());
    CHECK(!s.lines.at(2).ends_with(" ok")); // at CLOSE already: some clients do not check the rename
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(temporary_names_tell_the_final_one),
        GATE_TEST(a_temporary_name_is_published_when_it_is_renamed),
        GATE_TEST(a_temporary_file_that_is_never_renamed_is_discarded),
        GATE_TEST(the_refusal_of_the_final_name_comes_at_open),
        GATE_TEST(a_rename_cannot_leave_data_in_or_the_policy),
        GATE_TEST(only_own_unpublished_files_can_be_renamed_or_removed),
        GATE_TEST(a_temporary_file_can_be_gone_on_with),
        GATE_TEST(a_temporary_file_that_is_sent_again_is_the_later_one),
        GATE_TEST(a_removed_upload_is_gone),
        GATE_TEST(a_rename_of_an_open_upload_publishes_at_close),
        GATE_TEST(a_hole_does_not_survive_a_rename),
    };
    return cmocka_run_group_tests_name("drop_sftp_rename", tests, nullptr, nullptr);
}
