// forcecmd/front/sftp: golden sequences of the SFTP sink, in every chunking.
#include "tests/unit/support.h"

#include "tests/unit/fake_sftp_client.h"

using namespace gate;
using namespace gate::test;
using spool::Reason;

namespace {

std::string no(Reason reason) {
    return "permission_denied " + spool::sentence(reason);
}
std::string not_now(Reason reason) {
    return "failure " + spool::sentence(reason);
}

#define CHECK_SESSION(session, expected_answers, expected_calls)                                             \
    do {                                                                                                     \
        const Session& check_s = (session);                                                                  \
        CHECK_EQ(check_s.answers, expected_answers);                                                         \
        CHECK_EQ(check_s.calls, expected_calls);                                                             \
    } while (false)

void version_3_whatever_was_asked_for() {
    const spool::VirtualTree tree("/d");
    for (const std::uint32_t version : {0U, 3U, 6U, UINT32_MAX}) {
        FakeDropbox dropbox;
        drop::sftp::Server server(dropbox, tree);
        std::string out;
        server.start(out);
        CHECK_EQ(out, ""); // the client speaks first
        server.feed(packet(Type::init, be32(version) + str("vendor-id") + str("x")), out);
        CHECK_EQ(read_answers(out).at(0).substr(0, 10), "version 3 ");
        for (const std::string name :
             {"limits@openssh.com 1", "fsync@openssh.com 1", "expand-path@openssh.com 1"})
            CHECK_MSG(out.size() > 0 && read_answers(out).at(0).find(name) != std::string::npos, name);
        for (const std::string name : {"hardlink", "statvfs", "copy-data", "users-groups", "home-directory"})
            CHECK_MSG(out.find(name) == std::string::npos, name);
    }
}

// OpenSSH's scp and sftp put of one file: everything it asks before, pipelined writes, and after.
void openssh_puts_a_file() {
    const std::string body = extension(1, "limits@openssh.com") + by_path(Type::realpath, 2, ".") +
                             by_path(Type::stat, 3, "/var/spool/pandora/data_in") +
                             by_path(Type::stat, 4, "/var/spool/pandora/data_in/a.1.data") +
                             open(5, "/var/spool/pandora/data_in/a.1.data") + write(6, 0, 0, "hello ") +
                             write(7, 0, 6, "wor") + write(8, 0, 9, "ld") + fsetstat(9, 0, size_attrs(11)) +
                             extension(10, "fsync@openssh.com", handle(0)) + close(11, 0) +
                             by_path(Type::stat, 12, "a.1.data");
    const Session s = sftp_session(body);
    CHECK_SESSION(s,
                  "1 extended 262144 261120 261120 8\n2 name /var/spool/pandora/data_in\n3 directory\n"
                  "4 no_such_file No such file\n5 handle\n6 ok\n7 ok\n8 ok\n9 ok\n10 ok\n11 ok\n12 file 11\n",
                  "begin a.1.data ?\nwrite a.1.data @0\ncommit a.1.data 11\n");
    CHECK_EQ(s.delivered.at(0).second, "hello world");
    CHECK_EQ(s.status, 0);
}

void every_way_to_open_for_writing_opens() {
    for (const std::uint32_t flags : {0x02U, 0x0aU, 0x1aU, 0x1bU, 0x2aU, 0x3aU, 0x0eU})
        CHECK_SESSION(sftp_session(open(1, "a.1.data", flags) + close(2, 0)), "1 handle\n2 ok\n",
                      "begin a.1.data ?\ncommit a.1.data 0\n");
}

void reading_is_refused() {
    CHECK_SESSION(sftp_session(open(1, "a.1.data", 1)), "1 " + no(Reason::read) + "\n",
                  "refused request.read a.1.data\n");
    CHECK_SESSION(sftp_session(open(1, "/etc/passwd", 1)), "1 " + no(Reason::read) + "\n",
                  "refused request.read /etc/passwd\n");
    CHECK_EQ(sftp_session(open(1, "a.1.data", 0)).answers, "1 " + no(Reason::read) + "\n");
    // Of one's own upload too.
    const Session s = sftp_session(open(1, "a.1.data", 0x1b) + write(2, 0, 0, "secret") +
                                   request(Type::read, 3, handle(0) + be64(0) + be32(100)) + close(4, 0));
    CHECK_EQ(s.lines.at(2), "3 " + no(Reason::read));
    CHECK_EQ(s.lines.at(3), "4 ok");
}

void writes_may_come_in_any_order_and_overlap() {
    const Session s = sftp_session(open(1, "a.1.data") + write(2, 0, 6, "world") + write(3, 0, 0, "HELLO?") +
                                   write(4, 0, 0, "hello ") + write(5, 0, 4, "") + close(6, 0));
    CHECK_EQ(s.answers, "1 handle\n2 ok\n3 ok\n4 ok\n5 ok\n6 ok\n");
    CHECK_EQ(s.delivered.at(0).second, "hello world");
}

void a_hole_is_told_at_close() {
    const Session s = sftp_session(open(1, "a.1.data") + write(2, 0, 1, "x") + close(3, 0) +
                                   by_path(Type::stat, 4, "a.1.data"));
    CHECK_EQ(s.answers,
             "1 handle\n2 ok\n3 " + not_now(Reason::incomplete) + "\n4 no_such_file No such file\n");
    CHECK(s.delivered.empty());
}

// Clients pipeline: whatever comes after the error must not look like a success.
void an_error_of_a_write_stays() {
    const Session s = sftp_session(
        open(1, "a.1.data") + write(2, 0, 0, "x") + write(3, 0, 1, "y") + fsetstat(4, 0, size_attrs(0)) +
            fsetstat(5, 0, k_no_attrs) + extension(6, "fsync@openssh.com", handle(0)) +
            by_path(Type::stat, 7, "a.1.data") + close(8, 0) + by_path(Type::stat, 9, "a.1.data"),
        [](FakeDropbox& d) { d.refuse_write["a.1.data"] = Reason::staged_bytes; });
    const std::string error = not_now(Reason::staged_bytes);
    CHECK_SESSION(
        s,
        "1 handle\n2 " + error + "\n3 " + error + "\n4 " + error + "\n5 " + error + "\n6 " + error +
            "\n7 no_such_file No such file\n8 " + error + "\n9 no_such_file No such file\n",
        "begin a.1.data ?\nwrite a.1.data @ = limit.staged_bytes\nabort a.1.data limit.staged_bytes\n");
}

void a_write_past_the_limit_is_refused() {
    for (const std::uint64_t offset : {std::uint64_t{2'000'000}, std::uint64_t{1} << 40, UINT64_MAX}) {
        const Session s = sftp_session(open(1, "a.1.data") + write(2, 0, offset, "x") + close(3, 0));
        CHECK_EQ(s.answers, "1 handle\n2 " + no(Reason::size_file) + "\n3 " + no(Reason::size_file) + "\n");
        CHECK(s.delivered.empty());
    }
}

void fsetstat_cuts_what_has_arrived() {
    const Session s =
        sftp_session(open(1, "a.1.data") + write(2, 0, 0, "hello world") + fsetstat(3, 0, size_attrs(5)) +
                     request(Type::fstat, 4, handle(0)) + close(5, 0));
    CHECK_SESSION(s, "1 handle\n2 ok\n3 ok\n4 file 5\n5 ok\n",
                  "begin a.1.data ?\nwrite a.1.data @0\ntruncate a.1.data 5\ncommit a.1.data 5\n");
    CHECK_EQ(s.delivered.at(0).second, "hello");
}

void a_larger_fsetstat_is_a_promise_that_close_checks() {
    const std::string start = open(1, "a.1.data") + write(2, 0, 0, "hel") + fsetstat(3, 0, size_attrs(5));
    const Session broken = sftp_session(start + close(4, 0));
    CHECK_EQ(broken.lines.back(), "4 " + not_now(Reason::incomplete));
    CHECK(broken.delivered.empty());
    const Session kept = sftp_session(start + write(4, 0, 3, "lo") + close(5, 0));
    CHECK_EQ(kept.answers, "1 handle\n2 ok\n3 ok\n4 ok\n5 ok\n");
    CHECK_EQ(kept.delivered.at(0).second, "hello");
}

// Modes, owners and times mean nothing here, but a refusal would make many clients give up.
void other_attributes_are_taken_and_ignored() {
    const std::string attrs = be32(0x8000000e) + be32(0) + be32(0) + be32(07777) + be32(1) + be32(2) +
                              be32(1) + str("x@y") + str("z");
    const Session s =
        sftp_session(request(Type::open, 1, str("a.1.data") + be32(0x1a) + attrs) + fsetstat(2, 0, attrs) +
                     request(Type::setstat, 3, str("a.1.data") + attrs) +
                     request(Type::setstat, 4, str(".") + attrs) + close(5, 0));
    CHECK_SESSION(s, "1 handle\n2 ok\n3 ok\n4 ok\n5 ok\n", "begin a.1.data ?\ncommit a.1.data 0\n");
}

void refusals_at_open_say_why() {
    const auto refuse = [](FakeDropbox& d) {
        d.refuse_begin["b.1.data"] = Reason::agent_name;
        d.refuse_begin["c.1.data"] = Reason::space_free;
    };
    CHECK_SESSION(
        sftp_session(open(1, "b.1.data") + open(2, "c.1.data") + open(3, "ls.exe"), refuse),
        "1 " + no(Reason::agent_name) + "\n2 " + not_now(Reason::space_free) + "\n3 " +
            no(Reason::name_form) + "\n",
        "begin b.1.data ? = agent.name\nbegin c.1.data ? = space.free\nbegin ls.exe ? = name.form\n");
    for (const std::string path : {"/etc/cron.d/a.1.data", "conf/a.1.data", ".", "/var", "../a.1.data",
                                   "/var/spool/pandora/data_in2/a.1.data", "a.1.data/"})
        CHECK_SESSION(sftp_session(open(1, path)), "1 " + no(Reason::name_path) + "\n",
                      "refused name.path " + path + "\n");
}

// Requests that are sent ahead of a CLOSE's answer are answered after it; what asks for the file waits.
void a_close_that_is_sent_ahead_of_is_answered_first() {
    const Session s =
        sftp_session(open(1, "a.1.data") + write(2, 0, 0, "one") + close(3, 0) + open(4, "a.2.data") +
                         write(5, 0, 0, "two") + close(6, 0) + by_path(Type::stat, 7, "a.1.data") +
                         by_path(Type::stat, 8, "a.2.data"),
                     [](FakeDropbox& dropbox) { dropbox.refuse_commit["a.1.data"] = Reason::backlog; });
    CHECK_EQ(s.answers, "1 handle\n2 ok\n3 failure " + spool::sentence(Reason::backlog) +
                            "\n4 handle\n5 ok\n6 ok\n7 no_such_file No such file\n8 file 3\n");
    CHECK_EQ(s.delivered.size(), 1U);
}

void a_refusal_at_close_says_why() {
    const Session s = sftp_session(open(1, "a.1.data") + close(2, 0) + by_path(Type::stat, 3, "a.1.data"),
                                   [](FakeDropbox& d) { d.refuse_commit["a.1.data"] = Reason::space_free; });
    CHECK_EQ(s.answers, "1 handle\n2 " + not_now(Reason::space_free) + "\n3 no_such_file No such file\n");
}

void directories_are_empty() {
    for (const std::string path : {".", "/", "/var/spool/pandora/data_in", "/var"}) {
        const Session s = sftp_session(by_path(Type::opendir, 1, path) + by_path(Type::stat, 2, path) +
                                       by_path(Type::lstat, 3, path));
        CHECK_EQ(s.answers, "1 handle\n2 directory\n3 directory\n");
    }
    CHECK_EQ(sftp_session(by_path(Type::opendir, 1, "/etc") + by_path(Type::opendir, 2, "conf")).answers,
             "1 no_such_file No such file\n2 no_such_file No such file\n");
}

void what_is_not_of_this_session_is_not_there() {
    for (const std::string path : {"b.1.data", "/etc/passwd", "conf", "md5", "../x", "/etc", "/root/.ssh"}) {
        const Session s = sftp_session(by_path(Type::stat, 1, path) + by_path(Type::lstat, 2, path) +
                                       request(Type::setstat, 3, str(path) + k_no_attrs));
        CHECK_EQ(s.answers, "1 no_such_file No such file\n2 no_such_file No such file\n"
                            "3 no_such_file No such file\n");
        CHECK(s.calls.find("refused request.foreign_file " + path) != std::string::npos);
    }
}

void directories_and_links_cannot_be_made() {
    CHECK_EQ(
        sftp_session(request(Type::mkdir, 1, str("x") + k_no_attrs) + by_path(Type::rmdir, 2, "x")).answers,
        "1 " + no(Reason::directory) + "\n2 " + no(Reason::directory) + "\n");
    CHECK_EQ(sftp_session(by_path(Type::readlink, 1, "x") + request(Type::symlink, 2, str("x") + str("y")))
                 .answers,
             "1 " + no(Reason::read) + "\n2 " + no(Reason::foreign_file) + "\n");
}

void paths_are_canonical_by_themselves() {
    CHECK_EQ(sftp_session(by_path(Type::realpath, 1, "") + by_path(Type::realpath, 2, "../../x/./y//z/") +
                          by_path(Type::realpath, 3, "/..") +
                          extension(4, "expand-path@openssh.com", str("~/a.1.data")))
                 .answers,
             "1 name /var/spool/pandora/data_in\n2 name /var/spool/x/y/z\n3 name /\n"
             "4 name /var/spool/pandora/data_in/a.1.data\n");
}

void two_files_at_a_time_do_not_mix() {
    const Session s = sftp_session(open(1, "a.1.data") + open(2, "b.1.data") + write(3, 0, 0, "aa") +
                                   write(4, 1, 0, "bb") + write(5, 0, 2, "AA") + close(6, 1) + close(7, 0));
    CHECK_EQ(s.answers, "1 handle\n2 handle\n3 ok\n4 ok\n5 ok\n6 ok\n7 ok\n");
    CHECK_EQ(s.delivered.at(0).second, "bb");
    CHECK_EQ(s.delivered.at(1).second, "aaAA");
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(version_3_whatever_was_asked_for),
        GATE_TEST(openssh_puts_a_file),
        GATE_TEST(every_way_to_open_for_writing_opens),
        GATE_TEST(reading_is_refused),
        GATE_TEST(writes_may_come_in_any_order_and_overlap),
        GATE_TEST(a_hole_is_told_at_close),
        GATE_TEST(an_error_of_a_write_stays),
        GATE_TEST(a_write_past_the_limit_is_refused),
        GATE_TEST(fsetstat_cuts_what_has_arrived),
        GATE_TEST(a_larger_fsetstat_is_a_promise_that_close_checks),
        GATE_TEST(other_attributes_are_taken_and_ignored),
        GATE_TEST(refusals_at_open_say_why),
        GATE_TEST(a_close_that_is_sent_ahead_of_is_answered_first),
        GATE_TEST(a_refusal_at_close_says_why),
        GATE_TEST(directories_are_empty),
        GATE_TEST(what_is_not_of_this_session_is_not_there),
        GATE_TEST(directories_and_links_cannot_be_made),
        GATE_TEST(paths_are_canonical_by_themselves),
        GATE_TEST(two_files_at_a_time_do_not_mix),
    };
    return cmocka_run_group_tests_name("drop_sftp", tests, nullptr, nullptr);
}
