// Lines of authorized_keys: what sshd takes, and what of it can be kept here.
#include "tests/unit/support.h"
#include "tests/unit/test_ctl_keys.h"

#include "gatectl/keys/key_line.h"
#include "gatectl/problem.h"
#include "lib/keyring/record.h"

using namespace gate;
using namespace gate::test;

namespace {

const std::string k_line = k_ed25519.line;

void refused(const std::string& line, std::string_view words) {
    try {
        static_cast<void>(ctl::parse_key_line(line));
        raise(__FILE__, __LINE__, line + " was taken");
    } catch (const ctl::Problem& problem) {
        const std::string_view said = problem.what();
        CHECK_MSG(said.find(words) != said.npos, std::string(said) + " does not say " + std::string(words));
        CHECK(said.find('\n') == said.npos);
        CHECK_EQ(static_cast<int>(problem.status()), static_cast<int>(ctl::Status::bad_data));
    }
}

std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words)
        out += (out.empty() ? "" : " ") + word;
    return out;
}

ctl::KeyLine parsed(const std::string& line) {
    ctl::KeyLine out = ctl::parse_key_line(line);
    CHECK_EQ(keyring::format_fingerprint(out.key.fingerprint), std::string(k_ed25519.fingerprint));
    return out;
}

void takes_keys_without_options() {
    for (const Fixture& key : {k_ed25519, k_ecdsa256, k_ecdsa384, k_ecdsa521, k_rsa2048}) {
        const auto line = ctl::parse_key_line(key.line);
        CHECK_EQ(line.key.type, std::string(key.type));
        CHECK_EQ(keyring::format_fingerprint(line.key.fingerprint), std::string(key.fingerprint));
        CHECK(line.from.empty() && line.expires_at == 0 && !line.restricted && line.ignored.empty());
    }
    CHECK_EQ(parsed(" \t" + k_line + " more words \r").key.comment, std::string("agent@ed25519 more words"));
    CHECK_EQ(parsed(k_line + " from=\"x\",restrict").key.comment,
             std::string("agent@ed25519 from=\"x\",restrict"));
}

void takes_what_can_be_kept() {
    const auto line =
        parsed("restrict,from=\"10.0.0.0/8,2001:DB8::1,10.0.0.0/8\",expiry-time=\"20270131Z\" " + k_line);
    CHECK(line.restricted);
    CHECK_EQ(joined(line.from), std::string("10.0.0.0/8 2001:db8::1"));
    CHECK_EQ(line.expires_at, std::int64_t{1'801'353'600});
    CHECK(line.ignored.empty());
    // sshd takes the earliest, whatever the order.
    CHECK_EQ(parsed("expiry-time=\"20270131Z\",expiry-time=\"20280101Z\" " + k_line).expires_at,
             std::int64_t{1'801'353'600});
    CHECK_EQ(parsed("expiry-time=\"20280101Z\",expiry-time=\"20270131Z\" " + k_line).expires_at,
             std::int64_t{1'801'353'600});
    CHECK(parsed("RESTRICT,From=\"10.0.0.1\" \t " + k_line).restricted);
}

void tells_what_the_gate_replaces() {
    const auto line =
        parsed("command=\"scp -t \\\"a "
               "b\\\",no-pty\",no-pty,No-PTY,environment=\"A=b\",environment=\"C=d\",principals="
               "\"x\",permitopen=\"h:1\",permitlisten=\"1\",tunnel=\"0\",pty,no-user-rc,no-touch-required,"
               "no-verify-required,no-port-forwarding,no-agent-forwarding,no-X11-forwarding " +
               k_line);
    CHECK_EQ(
        joined(line.ignored),
        std::string("command no-pty environment principals permitopen permitlisten tunnel pty no-user-rc "
                    "no-touch-required no-verify-required no-port-forwarding no-agent-forwarding "
                    "no-x11-forwarding"));
    CHECK(!line.restricted && line.from.empty());
}

void quotes_as_sshd_reads_them() {
    // An escaped quote does not end the value, so what looks like an option here is a part of the command.
    const auto line = parsed("command=\"echo \\\"x\\\",restrict,from=\\\"10.0.0.1\\\" y\" " + k_line);
    CHECK(!line.restricted && line.from.empty());
    CHECK_EQ(joined(line.ignored), std::string("command"));
    // A backslash before anything else stands for itself: this value ends at its second quote.
    CHECK(parsed("command=\"a\\\\b\",restrict " + k_line).restricted);
    CHECK(parsed("command=\"\",restrict " + k_line).restricted);
    CHECK(parsed("command=\"" + k_line + "\",restrict " + k_line).restricted);
    refused("command=\"a\\\" " + k_line, "the quote after command= is not closed");
    refused("command=\"a " + k_line, "the quote after command= is not closed");
    refused("command=a " + k_line, "not in quotes");
    refused("command= " + k_line, "not in quotes");
    refused("command='a' " + k_line, "not in quotes");
    refused("command=\"a\"b " + k_line, "no comma between two options");
    refused("command=\"a\"\"b\" " + k_line, "no comma between two options");
    refused("command=\"a\"", "no key behind the options");
    refused("restrict", "no key behind the options");
    refused("restrict  \t", "no key behind the options");
}

void options_that_sshd_refuses() {
    refused("nonsense " + k_line, "sshd knows no option nonsense");
    refused("restrict,nonsense " + k_line, "sshd knows no option nonsense");
    refused("no-restrict " + k_line, "sshd knows no option no-restrict");
    refused("no-command=\"x\" " + k_line, "sshd knows no option no-command");
    refused("restrictx " + k_line, "sshd knows no option restrictx");
    refused("restrict, no-pty " + k_line, "empty option");
    refused("restrict,,no-pty " + k_line, "empty option");
    refused(",restrict " + k_line, "empty option");
    refused("restrict no-pty " + k_line, "options before the key");
    refused("restrict=\"x\" " + k_line, "restrict takes no value");
    refused("command " + k_line, "command has no value");
    refused("from " + k_line, "from has no value");
    refused("from=\"10.0.0.1\",from=\"10.0.0.2\" " + k_line, "more than one from");
    refused("command=\"a\",command=\"b\" " + k_line, "more than one command");
    refused("principals=\"a\",PRINCIPALS=\"b\" " + k_line, "more than one principals");
    refused("\x1b[2J,restrict " + k_line, "\\x1b");
}

void what_cannot_be_kept_is_not_dropped() {
    refused("cert-authority " + k_line, "certificates are not accepted");
    refused("restrict,Cert-Authority,principals=\"x\" " + k_line, "certificates are not accepted");
    refused("verify-required " + k_line, "PIN");
    refused("from=\"\" " + k_line, "lets nobody in");
    refused("from=\"*.example.org\" " + k_line, "from=: *.example.org is a pattern");
    refused("from=\"10.0.0.0/8,!10.0.0.5\" " + k_line, "from=: !10.0.0.5 excludes");
    refused("from=\"10.0.0.1, 10.0.0.2\" " + k_line, "blank");
    refused("from=\"10.0.0.1,\" " + k_line, "empty text");
    refused("from=\"10.0.0.5/8\" " + k_line, "did you mean 10.0.0.0/8 or 10.0.0.5?");
    refused("from=\"localhost\" " + k_line, "is a name");
    refused("expiry-time=\"20270230\" " + k_line, "no such day");
    refused("expiry-time=\"\" " + k_line, "YYYYMMDD");
    refused("expiry-time=\"90d\" " + k_line, "YYYYMMDD");
    std::string many;
    for (std::size_t i = 0; i <= keyring::k_max_from; ++i)
        many += (i == 0 ? "10.0.0." : ",10.0.0.") + std::to_string(i);
    refused("from=\"" + many + "\" " + k_line, "more than 64");
}

void bad_keys_keep_their_words() {
    refused("restrict " + std::string(k_dsa.line), "DSA");
    refused("restrict " + std::string(k_certificate.line), "certificate");
    refused(k_dsa.line, "DSA");
    refused(k_certificate.line, "certificate");
    refused(k_rsa1024.line, "1024 bits");
    refused("ssh-ed448 AAAA x", "type ssh-ed448");
    refused("-----BEGIN OPENSSH PRIVATE KEY-----", "this is a private key");
    refused("command=\"x\" b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ", "this is a private key");
    refused("hello world", "not an OpenSSH public key");
    refused("restrict " + k_line.substr(0, 50), "base64");
    refused(k_line + " " + k_line, "more than one key");
    refused(k_line + " a\rb", "carriage return");
    refused(k_line + std::string(1, '\0'), "NUL");
    refused(k_line + std::string(ctl::k_max_line, 'x'), "longer than 8192");
    refused("command=\"" + std::string(ctl::k_max_line, 'x') + "\" " + k_line, "longer than 8192");
}

void blank_lines_and_comments() {
    for (const char* line : {"", " ", "\t", "#", "# ssh-ed25519 AAAA", "  #x", "\r", " \r"})
        CHECK_MSG(ctl::is_blank_or_comment(line), line);
    for (const char* line : {"x", " x", "ssh-ed25519", "\rx"})
        CHECK_MSG(!ctl::is_blank_or_comment(line), line);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(takes_keys_without_options),   GATE_TEST(takes_what_can_be_kept),
        GATE_TEST(tells_what_the_gate_replaces), GATE_TEST(quotes_as_sshd_reads_them),
        GATE_TEST(options_that_sshd_refuses),    GATE_TEST(what_cannot_be_kept_is_not_dropped),
        GATE_TEST(bad_keys_keep_their_words),    GATE_TEST(blank_lines_and_comments),
    };
    return cmocka_run_group_tests_name("ctl_key_line", tests, nullptr, nullptr);
}
