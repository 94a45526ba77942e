// forcecmd/front/enrol: what a login that may hand over a key asks for, the one key in a text, and the key
// that comes on stdin.
#include "tests/unit/fake_desk.h"

#include "forcecmd/front/enrol/asked.h"
#include "forcecmd/front/enrol/key_text.h"
#include "forcecmd/front/enrol/stdin_key.h"

using namespace gate;
using namespace gate::test;
using drop::enrol::Asked;
using drop::enrol::only_key;
using drop::enrol::parse_asked;
using drop::enrol::StdinKey;
using enrol::Answer;
using spool::Reason;

namespace {

constexpr std::string_view k_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 root@web01";

// As ssh-copy-id makes it (OpenSSH 9.2; its tabs and line ends are blanks).
const std::string k_copy_id =
    "exec sh -c 'cd; umask 077; mkdir -p \".ssh\" && { [ -z `tail -1c .ssh/authorized_keys 2>/dev/null` ] || "
    "echo >> \".ssh/authorized_keys\" || exit 1; } && cat >> \".ssh/authorized_keys\" || exit 1; if type "
    "restorecon >/dev/null 2>&1; then restorecon -F \".ssh\" \".ssh/authorized_keys\"; fi'";

Reason why_not(std::string_view text) {
    const auto key = only_key(text);
    return key ? Reason::none : key.error();
}

void every_ssh_copy_id_is_understood() {
    for (const std::string& command :
         {k_copy_id,
          std::string("umask 077 ; test -d .ssh || mkdir .ssh ; cat >> .ssh/authorized_keys"), // 4.x
          std::string("umask 077; test -d ~/.ssh || mkdir ~/.ssh ; cat >> ~/.ssh/authorized_keys"),
          std::string(
              "sh -c \"umask 077; test -d ~/.ssh || mkdir ~/.ssh ; cat >> ~/.ssh/authorized_keys && "
              "(test -x /sbin/restorecon && /sbin/restorecon ~/.ssh ~/.ssh/authorized_keys >/dev/null "
              "2>&1 || true)\""), // 5.9
          std::string(
              "exec sh -c 'cd ; umask 077 ; mkdir -p .ssh && cat >> .ssh/authorized_keys || exit 1 ; if "
              "type restorecon >/dev/null 2>&1 ; then restorecon -F .ssh ; fi'"), // 7.x
          std::string("cat >> .ssh/authorized_keys"), std::string("cat >>.ssh/authorized_keys2"),
          std::string("tee -a /home/x/.ssh/authorized_keys"), std::string("enrol")})
        CHECK_MSG(parse_asked(command).kind == Asked::Kind::install, command);
}

void other_requests_are_told_apart() {
    CHECK(parse_asked(std::nullopt).kind == Asked::Kind::greeting);
    CHECK(parse_asked("").kind == Asked::Kind::greeting);
    CHECK(parse_asked("internal-sftp").kind == Asked::Kind::sftp);
    CHECK(parse_asked("/usr/lib/openssh/sftp-server -f AUTH").kind == Asked::Kind::sftp);
}

void everything_else_is_refused() {
    for (const char* command : {"exit", "true", "id", "bash -i", "rotate", "enrol x", " enrol",
                                "cat > data_in/x.1.data", "rsync --server"}) {
        const Asked asked = parse_asked(command);
        CHECK_MSG(asked.kind == Asked::Kind::refused && !asked.scp_protocol, command);
    }
    for (const char* command :
         {"scp -t /var/spool/pandora/data_in", "scp -f x", "scp -t .ssh/authorized_keys",
          "scp -f .ssh/authorized_keys", "/usr/bin/scp -t authorized_keys"}) {
        const Asked asked = parse_asked(command);
        CHECK_MSG(asked.kind == Asked::Kind::refused && asked.scp_protocol, command);
    }
}

void one_key_is_found() {
    const std::string key(k_key);
    for (const std::string& text :
         {key, key + "\n", key + "\r\n", "\n\n" + key + "\n\n", "# of web01\n" + key + "\n#\n",
          "  " + key + "\t \n", " \t\n\r\n" + key + "\r\n\r\n", "#" + std::string(8000, 'x') + "\n" + key}) {
        CHECK_MSG(only_key(text).has_value(), text);
        CHECK_EQ(*only_key(text), k_key);
    }
}

// What is no key, or one with options, or of a type that is not taken, is judged by the service: it has all
// of what would be needed here.
void a_line_is_handed_on_as_it_is() {
    for (const std::string_view line :
         {std::string_view("command=\"id\" ssh-ed25519 AAAA x"), std::string_view("ssh-dss AAAA"),
          std::string_view("from=\"*\",no-pty ssh-rsa AAAA"), std::string_view("nonsense"),
          std::string_view("ssh-ed25519 AAAA J\xc3\xb6rg")})
        CHECK_EQ(only_key(std::string(line) + "\n").value_or(""), line);
}

void anything_but_one_key_is_refused() {
    const std::string key(k_key);
    for (const std::string_view text : {"", "\n", "\r\n \t\n", "# nothing\n", "#", "   "})
        CHECK(why_not(text) == Reason::enrol_no_key);
    CHECK(why_not("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END\n") == Reason::enrol_no_key);
    CHECK(why_not("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n") == Reason::enrol_no_key);
    CHECK(why_not(key + "\n" + key + "\n") == Reason::enrol_many_keys);
    CHECK(why_not(key + "\nssh-rsa BBBB other\n") == Reason::enrol_many_keys);
    CHECK(why_not(key + "\nx") == Reason::enrol_many_keys);
}

void bytes_that_no_key_holds_are_refused() {
    for (unsigned byte = 0; byte < 0x20; ++byte) {
        const std::string text = "ssh-ed25519 AAAA a" + std::string(1, static_cast<char>(byte)) + "b\n";
        const Reason expected = byte == '\t'   ? Reason::none
                                : byte == '\n' ? Reason::enrol_many_keys
                                               : Reason::enrol_bytes;
        CHECK_MSG(why_not(text) == expected, std::to_string(byte));
    }
    CHECK(why_not("ssh-ed25519 AAAA \x7f\n") == Reason::enrol_bytes);
    CHECK(why_not(std::string("\0ssh-ed25519 AAAA", 17)) == Reason::enrol_bytes);
    CHECK(why_not("\rssh-ed25519 AAAA") == Reason::enrol_bytes);
    CHECK(why_not("ssh-ed25519 AAAA\r\r\n") == Reason::enrol_bytes);
}

void sizes_have_a_limit() {
    const std::string longest(enrol::k_max_line, 'x');
    CHECK(why_not(longest) == Reason::none);
    CHECK(why_not(longest + "x") == Reason::enrol_large);
    const std::string key(k_key);
    const std::string filler(drop::enrol::k_max_key_text - key.size() - 1, '\n');
    CHECK(why_not(filler + key + "\n") == Reason::none);
    CHECK(why_not(filler + key + "\n\n") == Reason::enrol_large);
}

// --- stdin -----------------------------------------------------------------------------------------------

Enrolled by_stdin(std::string_view input, Answer answer = Answer::accepted) {
    return enrol_any_way([](auto& desk) { return std::make_unique<StdinKey>(desk, "cat"); },
                         {answer, "the service says so"}, input);
}

void what_the_service_says_is_told() {
    const std::string input = std::string(k_key) + "\n";
    for (const auto& [answer, status] :
         {std::pair(Answer::accepted, 0), std::pair(Answer::pending, 0), std::pair(Answer::refused, 1)}) {
        const Enrolled o = by_stdin(input, answer);
        CHECK_EQ(o.answers, "the service says so\n");
        CHECK_EQ(o.calls, "key " + std::string(k_key) + "\n");
        CHECK_EQ(o.status, status);
        CHECK(!o.finished); // it waits for the end: there may be another key
    }
}

void a_refusal_is_told_to_both() {
    const Enrolled o = by_stdin(std::string(k_key) + "\n" + std::string(k_key) + "\n");
    CHECK_EQ(
        o.answers,
        "pandora-gate: more than one key came, and a code lets one key in; use ssh-copy-id -i KEY.pub\n");
    CHECK_EQ(o.calls, "refused enrol.many_keys cat\n");
    CHECK_EQ(o.status, 1);
    CHECK_EQ(by_stdin("").calls, "refused enrol.no_key cat\n");
    CHECK_EQ(by_stdin("").status, 1);
    CHECK_EQ(by_stdin(std::string("a\0b", 3)).calls, "refused enrol.bytes cat\n");
}

void what_never_ends_is_not_waited_for() {
    const Enrolled o = by_stdin(std::string(drop::enrol::k_max_key_text + 1, 'x'));
    CHECK_EQ(o.calls, "refused enrol.large cat\n");
    CHECK(o.finished);
    CHECK_EQ(o.status, 1);
    CHECK(!by_stdin(std::string(drop::enrol::k_max_key_text, '\n')).finished);
}

void an_interruption_hands_nothing_over() {
    FakeDesk desk;
    StdinKey machine(desk, "cat");
    std::string out;
    machine.feed(std::string(k_key) + "\n", out);
    machine.interrupt(Reason::session_timeout, out);
    CHECK(machine.finished());
    CHECK_EQ(machine.exit_status(), 1);
    CHECK_EQ(desk.calls, "refused time.session cat\n");
    CHECK_EQ(out, spool::sentence(Reason::session_timeout) + "\n");
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(every_ssh_copy_id_is_understood),     GATE_TEST(other_requests_are_told_apart),
        GATE_TEST(everything_else_is_refused),          GATE_TEST(one_key_is_found),
        GATE_TEST(a_line_is_handed_on_as_it_is),        GATE_TEST(anything_but_one_key_is_refused),
        GATE_TEST(bytes_that_no_key_holds_are_refused), GATE_TEST(sizes_have_a_limit),
        GATE_TEST(what_the_service_says_is_told),       GATE_TEST(a_refusal_is_told_to_both),
        GATE_TEST(what_never_ends_is_not_waited_for),   GATE_TEST(an_interruption_hands_nothing_over),
    };
    return cmocka_run_group_tests_name("drop_enrol", tests, nullptr, nullptr);
}
