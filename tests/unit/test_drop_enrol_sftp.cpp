// forcecmd/front/enrol/sftp_key: what `ssh-copy-id -s` does, and what else an SFTP client may try there.
#include "tests/unit/fake_desk.h"
#include "tests/unit/fake_sftp_client.h"

#include "forcecmd/front/enrol/key_text.h"
#include "forcecmd/front/enrol/sftp_key.h"

using namespace gate;
using namespace gate::test;
using drop::enrol::SftpKey;
using enrol::Answer;
using spool::Reason;

namespace {

const std::string k_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 root@web01";
const std::string k_file = ".ssh/authorized_keys";
const std::string k_put = open(1, k_file, 0x1a) + write(2, 0, 0, k_key + "\n") + close(3, 0);
const std::string k_name_only =
    "pandora-gate: this login can hand over a public key and do nothing else; run "
    "ssh-copy-id, then log in with that key";

struct Said {
    std::string answers; // a line each
    std::string calls;
    bool finished;
    int status;
};

Said session(std::string_view requests, Answer answer = Answer::accepted, std::string_view init = k_init) {
    const Enrolled o =
        enrol_any_way([](auto& desk) { return std::make_unique<SftpKey>(desk); },
                      {answer, "the service says so"}, std::string(init) + std::string(requests));
    Said out{{}, o.calls, o.finished, o.status};
    for (const std::string& line : read_answers(o.answers))
        if (line != "version 3 ")
            out.answers += line + '\n';
    return out;
}

// The first of its two sessions: there is nothing to get.
void ssh_copy_id_finds_no_file() {
    const Said said =
        session(by_path(Type::realpath, 1, ".") + by_path(Type::lstat, 2, "/.ssh/authorized_keys") +
                by_path(Type::stat, 3, "/.ssh/authorized_keys") + open(4, k_file, 1));
    CHECK_EQ(said.answers, "1 name /\n2 no_such_file No such file\n3 no_such_file No such file\n"
                           "4 no_such_file No such file\n");
    CHECK_EQ(said.calls, "");
    CHECK_EQ(said.status, 0);
}

// The second one, as OpenSSH's client puts it.
void ssh_copy_id_puts_its_key() {
    const Said said = session(
        by_path(Type::realpath, 1, ".") + request(Type::mkdir, 2, str("/.ssh") + k_no_attrs) +
        by_path(Type::lstat, 3, "/.ssh") + request(Type::setstat, 4, str("/.ssh") + be32(4) + be32(0700)) +
        by_path(Type::stat, 5, "/.ssh/authorized_keys") + open(6, "/.ssh/authorized_keys", 0x1a) +
        write(7, 0, 0, k_key + "\n") + fsetstat(8, 0, size_attrs(k_key.size() + 1)) + close(9, 0) +
        by_path(Type::lstat, 10, "/.ssh/authorized_keys") +
        request(Type::setstat, 11, str("/.ssh/authorized_keys") + be32(4) + be32(0600)));
    CHECK_EQ(said.answers,
             "1 name /\n2 ok\n3 directory\n4 ok\n5 no_such_file No such file\n6 handle\n7 ok\n8 ok\n"
             "9 ok\n10 file " +
                 std::to_string(k_key.size() + 1) + "\n11 ok\n");
    CHECK_EQ(said.calls, "key " + k_key + "\n");
    CHECK_EQ(said.status, 0);
}

void close_tells_what_became_of_it() {
    CHECK_EQ(session(k_put, Answer::pending).answers, "1 handle\n2 ok\n3 ok\n");
    const Said said = session(k_put, Answer::refused);
    CHECK_EQ(said.answers, "1 handle\n2 ok\n3 permission_denied the service says so\n");
    CHECK_EQ(said.status, 1);
}

void every_spelling_of_the_file_is_one() {
    for (const char* path : {"/.ssh/authorized_keys", "~/.ssh/authorized_keys", "./.ssh/authorized_keys",
                             "/.ssh//authorized_keys", ".ssh/./authorized_keys", "/../.ssh/authorized_keys",
                             ".ssh/../.ssh/authorized_keys"})
        CHECK_EQ(session(open(1, path, 0x1a) + write(2, 0, 0, k_key) + close(3, 0)).calls,
                 "key " + k_key + "\n");
}

void a_text_that_is_not_one_key_is_refused_at_close() {
    const auto put = [](std::string_view text) {
        return session(open(1, k_file, 0x1a) + write(2, 0, 0, text) + close(3, 0));
    };
    CHECK_EQ(put(k_key + "\n" + k_key + "\n").calls, "refused enrol.many_keys " + k_file + "\n");
    CHECK_EQ(put(k_key + "\n" + k_key + "\n").answers,
             "1 handle\n2 ok\n3 permission_denied " + spool::sentence(Reason::enrol_many_keys) + "\n");
    CHECK_EQ(put("# none\n").calls, "refused enrol.no_key " + k_file + "\n");
    CHECK_EQ(put(std::string_view("a\0b", 3)).calls, "refused enrol.bytes " + k_file + "\n");
    CHECK_EQ(put("# none\n").status, 1);
    const Said nothing = session(open(1, k_file, 0x1a) + close(3, 0));
    CHECK_EQ(nothing.calls, "refused enrol.no_key " + k_file + "\n");
}

void a_key_comes_in_any_order() {
    const std::string half = k_key.substr(0, 10);
    CHECK_EQ(session(open(1, k_file) + write(2, 0, 10, k_key.substr(10)) + write(3, 0, 0, half) + close(4, 0))
                 .calls,
             "key " + k_key + "\n");
    // A hole holds what no key does.
    CHECK_EQ(session(open(1, k_file) + write(2, 0, 10, k_key.substr(10)) + close(4, 0)).calls,
             "refused enrol.bytes " + k_file + "\n");
}

void sizes_have_a_limit() {
    constexpr std::size_t k_most = drop::enrol::k_max_key_text;
    const std::string blanks(k_most - k_key.size(), '\n');
    CHECK_EQ(
        session(open(1, k_file) + write(2, 0, 0, blanks) + write(3, 0, blanks.size(), k_key) + close(4, 0))
            .calls,
        "key " + k_key + "\n");
    for (const std::string& writes :
         {write(2, 0, 0, std::string(k_most + 1, '\n')), write(2, 0, k_most, "x"),
          write(2, 0, ~std::uint64_t{0}, "x"), write(2, 0, ~std::uint64_t{0} - 3, "xxxxxxxx"),
          write(2, 0, std::uint64_t{1} << 40, "x")}) {
        const Said said = session(open(1, k_file) + writes + write(3, 0, 0, k_key) + close(4, 0));
        CHECK_EQ(said.calls, "refused enrol.large " + k_file + "\n");
        CHECK_EQ(said.status, 1);
    }
}

void a_session_hands_over_one_file() {
    const Said said = session(k_put + k_put);
    CHECK_EQ(said.calls, "key " + k_key + "\nrefused enrol.many_keys " + k_file + "\n");
    CHECK(said.answers.starts_with("1 handle\n2 ok\n3 ok\n1 permission_denied "));
    // While it is open, too.
    CHECK_EQ(session(open(1, k_file) + k_put).calls,
             "refused enrol.many_keys " + k_file + "\nkey " + k_key + "\n");
}

void a_file_that_is_not_closed_is_not_handed_over() {
    const Said said = session(open(1, k_file) + write(2, 0, 0, k_key));
    CHECK_EQ(said.calls, "refused transfer.aborted " + k_file + "\n");
    CHECK_EQ(said.status, 1);
}

void an_interruption_hands_nothing_over() {
    FakeDesk desk;
    SftpKey machine(desk);
    std::string out;
    machine.feed(k_init + open(1, k_file) + write(2, 0, 0, k_key), out);
    machine.interrupt(Reason::session_timeout, out);
    CHECK(machine.finished());
    CHECK_EQ(machine.exit_status(), 1);
    CHECK_EQ(desk.calls, "refused time.session " + k_file + "\n");
}

// --- abuse -----------------------------------------------------------------------------------------------

void a_packet_is_refused() {
    for (const char* path :
         {"web01.1.data", "/var/spool/pandora/data_in/web01.1.data", "/.ssh/web01.1.data", "", "/.ssh",
          "/.ssh/authorized_keys2", "/.ssh/authorized_keys.filepart", "/authorized_keys",
          "/.ssh/authorized_keys/x", "/etc/passwd", ".ssh/../authorized_keys"}) {
        const Said said = session(open(1, path, 0x1a) + write(2, 0, 0, "x") + close(3, 0));
        CHECK_EQ(said.calls, "refused enrol.only " + std::string(path) + "\n");
        CHECK_EQ(said.answers, "1 permission_denied " + k_name_only +
                                   "\n2 failure no such handle\n3 failure no such handle\n");
    }
}

void nothing_is_shown() {
    const std::string told = "refused enrol.only /etc/passwd\n";
    CHECK_EQ(session(by_path(Type::stat, 1, "/etc/passwd")).calls, told);
    CHECK_EQ(session(by_path(Type::stat, 1, "/etc/passwd")).answers, "1 no_such_file No such file\n");
    CHECK_EQ(session(open(1, "/etc/passwd", 1)).calls, told);
    CHECK_EQ(session(by_path(Type::readlink, 1, "/etc/passwd")).calls, told);
    CHECK_EQ(session(by_path(Type::opendir, 1, "/etc/passwd")).calls, told);
    // What there is to list is empty.
    const std::string listed = by_path(Type::opendir, 1, "/.ssh") + request(Type::readdir, 2, handle(1)) +
                               request(Type::fstat, 3, handle(1)) +
                               request(Type::read, 4, handle(1) + be64(0) + be32(9)) + close(5, 1) +
                               close(6, 1);
    CHECK_EQ(session(listed).answers, "1 handle\n2 eof\n3 directory\n4 permission_denied " +
                                          spool::sentence(Reason::read) +
                                          "\n5 ok\n6 failure no such handle\n");
    // Its own file neither.
    const Said own = session(open(1, k_file, 0x1b) + write(2, 0, 0, k_key) +
                             request(Type::read, 3, handle(0) + be64(0) + be32(99)));
    CHECK(own.answers.ends_with("3 permission_denied " + spool::sentence(Reason::read) + "\n"));
}

void nothing_is_changed() {
    for (const Type type : {Type::remove, Type::rmdir, Type::rename, Type::symlink})
        for (const char* path : {"/.ssh/authorized_keys", "/.ssh", "/var/spool/pandora/data_in/x.1.data"}) {
            const Said said = session(request(type, 1, str(path) + str("/y")));
            CHECK_EQ(said.calls, "refused enrol.only " + std::string(path) + "\n");
            CHECK_EQ(said.answers, "1 permission_denied " + k_name_only + "\n");
        }
    CHECK_EQ(session(request(Type::mkdir, 1, str("/x") + k_no_attrs)).calls, "refused enrol.only /x\n");
    CHECK_EQ(session(request(Type::setstat, 1, str("/x") + k_no_attrs)).calls, "refused enrol.only /x\n");
    CHECK_EQ(session(request(Type::setstat, 1, str(k_file) + k_no_attrs)).answers,
             "1 no_such_file No such file\n");
}

void extensions_are_not_offered() {
    const Enrolled o = enrol_any_way([](auto& desk) { return std::make_unique<SftpKey>(desk); }, {}, k_init);
    CHECK_EQ(read_answers(o.answers).at(0), "version 3 ");
    for (const char* name : {"posix-rename@openssh.com", "hardlink@openssh.com", "statvfs@openssh.com", "x"})
        CHECK_EQ(session(extension(1, name, str("/a") + str("/b"))).calls,
                 "refused request.unsupported " + std::string(name) + "\n");
    CHECK_EQ(session(request(Type{99}, 1, "")).calls,
             "refused request.unsupported an unknown SFTP request\n");
}

void directories_have_a_limit() {
    std::string requests;
    for (std::uint32_t i = 1; i <= drop::enrol::k_max_sftp_directories + 1; ++i)
        requests += by_path(Type::opendir, i, "/");
    const Said said = session(requests + close(9, 2) + by_path(Type::opendir, 10, "/"));
    CHECK_EQ(said.calls, "refused limit.open_files /\n");
    CHECK_EQ(said.answers, "1 handle\n2 handle\n3 handle\n4 handle\n5 permission_denied " +
                               spool::sentence(Reason::open_files) + "\n9 ok\n10 handle\n");
}

void what_is_no_sftp_ends_the_session() {
    const auto ended = [](std::string_view requests, std::string_view init = k_init) {
        const Said said = session(requests, Answer::accepted, init);
        CHECK(said.finished);
        CHECK_EQ(said.status, 1);
        CHECK(said.calls.starts_with("refused transfer.protocol "));
    };
    ended("", open(1, k_file));                       // before INIT
    ended("", std::string("GET / HTTP/1.0\r\n\r\n")); // a length of a gigabyte
    ended(be32(0));                                   // no type
    ended(be32(drop::enrol::k_max_sftp_packet + 1));  // too long
    ended(packet(Type::open, "x"));                   // no number
    const Said largest = session(be32(drop::enrol::k_max_sftp_packet) + std::string(1000, 'x'));
    CHECK(!largest.finished); // it is waited for
}

void malformed_requests_are_told_so() {
    for (const Type type :
         {Type::open, Type::close, Type::read, Type::write, Type::stat, Type::lstat, Type::fstat,
          Type::setstat, Type::fsetstat, Type::opendir, Type::readdir, Type::mkdir, Type::realpath})
        for (const std::string& body : {std::string(), be32(5), be32(~0U) + "x", std::string("\0\0", 2)})
            CHECK_EQ(session(request(type, 1, body)).answers, "1 bad_message malformed request\n");
    CHECK_EQ(session(request(Type::open, 1, str(k_file))).answers, "1 bad_message malformed request\n");
    CHECK_EQ(session(request(Type::open, 1, str(k_file) + be32(2))).answers,
             "1 bad_message malformed request\n");
    CHECK_EQ(session(open(1, k_file) + request(Type::write, 2, handle(0) + be32(1)) + close(3, 7)).answers,
             "1 handle\n2 bad_message malformed request\n3 failure no such handle\n");
    CHECK_EQ(session(open(1, k_file) + request(Type::fsetstat, 2, handle(0))).answers,
             "1 handle\n2 bad_message malformed request\n");
}

void handles_are_those_that_were_given() {
    for (const std::string& wrong : {handle(0), handle(1), handle(5), handle(~0U), str(""), str("12345678")})
        for (const Type type :
             {Type::close, Type::fstat, Type::readdir, Type::read, Type::write, Type::fsetstat})
            CHECK_EQ(session(request(type, 1, wrong + be64(0) + be64(0))).answers,
                     "1 failure no such handle\n");
    CHECK_EQ(session(by_path(Type::opendir, 1, "/") + write(2, 1, 0, k_key)).answers,
             "1 handle\n2 failure not a file\n");
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(ssh_copy_id_finds_no_file),
        GATE_TEST(ssh_copy_id_puts_its_key),
        GATE_TEST(close_tells_what_became_of_it),
        GATE_TEST(every_spelling_of_the_file_is_one),
        GATE_TEST(a_text_that_is_not_one_key_is_refused_at_close),
        GATE_TEST(a_key_comes_in_any_order),
        GATE_TEST(sizes_have_a_limit),
        GATE_TEST(a_session_hands_over_one_file),
        GATE_TEST(a_file_that_is_not_closed_is_not_handed_over),
        GATE_TEST(an_interruption_hands_nothing_over),
        GATE_TEST(a_packet_is_refused),
        GATE_TEST(nothing_is_shown),
        GATE_TEST(nothing_is_changed),
        GATE_TEST(extensions_are_not_offered),
        GATE_TEST(directories_have_a_limit),
        GATE_TEST(what_is_no_sftp_ends_the_session),
        GATE_TEST(malformed_requests_are_told_so),
        GATE_TEST(handles_are_those_that_were_given),
    };
    return cmocka_run_group_tests_name("drop_enrol_sftp", tests, nullptr, nullptr);
}
