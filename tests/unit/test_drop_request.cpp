// forcecmd/front/request: what a client asks for, by the text of its command.
#include "tests/unit/support.h"

#include "lib/spool/request.h"

using namespace gate;
using spool::ClientRequest;
using spool::parse_request;

namespace {

// One line: "sink TARGET" with "(r)" and "(d)" for the options; "sftp"; "exit"; "interactive"; the code of
// the refusal, "scp:" before it when it is said in scp's way.
std::string verdict(const std::optional<std::string>& command) {
    const ClientRequest r = parse_request(command);
    switch (r.kind) {
    case ClientRequest::Kind::interactive:
        return "interactive";
    case ClientRequest::Kind::exit:
        return "exit";
    case ClientRequest::Kind::sftp:
        return "sftp";
    case ClientRequest::Kind::scp_sink:
        return "sink " + r.target + (r.recursive ? "(r)" : "") + (r.target_is_directory ? "(d)" : "");
    case ClientRequest::Kind::refused:
        return (r.scp_protocol ? "scp:" : "") + std::string(spool::text_of(r.reason).code);
    }
    return "?";
}

struct Case {
    std::string_view command;
    std::string_view expected;
};

template<std::size_t N>
void check_all(const Case (&cases)[N]) {
    for (const auto& [command, expected] : cases)
        CHECK_MSG(verdict(std::string(command)) == expected,
                  escape_visible(command) + " gives " + escape_visible(verdict(std::string(command))));
}

void scp_sinks() {
    constexpr Case k_cases[] = {
        {"scp -t /var/spool/pandora/data_in", "sink /var/spool/pandora/data_in"},
        {"scp -t '/var/spool/pandora/data_in'", "sink /var/spool/pandora/data_in"},
        {"scp -d -t data_in", "sink data_in(d)"},
        {"scp -t -d \"data_in\"", "sink data_in(d)"},
        {"scp -r -t data_in", "sink data_in(r)"},
        {"scp -p -t data_in", "sink data_in"},
        {"scp -pt 'x'", "sink x"},
        {"scp -tp x", "sink x"},
        {"scp -v -t x", "sink x"},
        {"scp -q -t x", "sink x"},
        {"scp -v -r -p -d -t -- x", "sink x(r)(d)"},
        {"scp -vrpdt x", "sink x(r)(d)"},
        {"scp -tt x", "sink x"},
        {"scp -t -- x", "sink x"},
        {"scp -t -- -x", "sink -x"},
        {"scp -t .", "sink ."},
        {"scp -t ''", "sink "},
        {"scp -t", "sink "},
        {"scp -t --", "sink "},
        {"scp -t -", "sink -"},
        {"scp -t ~", "sink ~"},
        {"scp -t ~/x.1.data", "sink ~/x.1.data"},
        {"scp -t /", "sink /"},
        {"scp -t 'a b.1.data'", "sink a b.1.data"},
        {"scp -t a\\ b", "sink a b"},
        {"scp   -t\tx ", "sink x"},
        {"/usr/bin/scp -t x", "sink x"},
        {"'scp' -t x", "sink x"},
        {"./scp -t x", "sink x"},
        {"scp -t '$(id)'", "sink $(id)"}, // a strange name, and nothing more
    };
    check_all(k_cases);
}

void scp_that_is_no_sink() {
    constexpr Case k_cases[] = {
        {"scp -f /etc/passwd", "scp:request.read"},
        {"scp -f x", "scp:request.read"},
        {"scp -pf x", "scp:request.read"},
        {"scp -r -f .", "scp:request.read"},
        {"scp -t -f x", "scp:request.read"},
        {"scp -f -t x", "scp:request.read"},
        {"scp -tf x", "scp:request.read"},
        {"scp -f", "scp:request.read"},
        {"scp x", "scp:request.command_text"},
        {"scp -v x", "scp:request.command_text"},
        {"scp -- -t x", "scp:request.command_text"},
        {"scp ", "scp:request.command_text"},
        {"scp a b", "scp:request.command_text"},
        {"scp -t a b", "scp:request.command_text"},
        {"scp -t a -r", "scp:request.command_text"},
        {"scp -t -- a b", "scp:request.command_text"},
        {"scp -t -S /bin/sh x", "scp:request.command_text"},
        {"scp -t -oProxyCommand=id x", "scp:request.command_text"},
        {"scp -t -P 22 x", "scp:request.command_text"},
        {"scp -3 -t x", "scp:request.command_text"},
        {"scp --t x", "scp:request.command_text"},
        {"scp -t --help", "scp:request.command_text"},
        // CVE-2020-15778: the target of scp reaching a shell.
        {"scp -t x;id", "scp:request.command_text"},
        {"scp -t `id`", "scp:request.command_text"},
        {"scp -t $(id)", "scp:request.command_text"},
        {"scp -t \"$(id)\"", "scp:request.command_text"},
        {"scp -t x\nid", "scp:request.command_text"},
        {"scp -t x|sh", "scp:request.command_text"},
        {"scp -t x>y", "scp:request.command_text"},
        {"scp -t *.data", "scp:request.command_text"},
        {"scp -t 'x", "scp:request.command_text"},
        {"scp -t x\\", "scp:request.command_text"},
    };
    check_all(k_cases);
}

void sftp_in_its_spellings() {
    constexpr Case k_cases[] = {
        {"internal-sftp", "sftp"},
        {"internal-sftp -f AUTHPRIV -l INFO", "sftp"},
        {"/usr/lib/openssh/sftp-server", "sftp"},
        {"/usr/libexec/openssh/sftp-server -l INFO", "sftp"},
        {"/usr/lib/sftp-server", "sftp"},
        {"test -x /usr/lib/sftp-server && exec /usr/lib/sftp-server\n"
         "test -x /usr/local/lib/sftp-server && exec /usr/local/lib/sftp-server\n"
         "exec sftp-server",
         "sftp"},
        {"sftp", "request.command"},
        {"sftp-server", "request.command"},
        {"internal-sftpx", "request.command"},
        {"/usr/lib/my-sftp-server", "request.command"},
        {"/usr/lib/sftp-server;id", "request.command"},
        {"exec /usr/lib/sftp-server", "request.command"},
        {"sh -c /usr/lib/sftp-server", "request.command"},
        {"test -x /bin/sh", "request.command"},
    };
    check_all(k_cases);
}

void neither_command_nor_shell() {
    CHECK_EQ(verdict(std::nullopt), "interactive");
    CHECK_EQ(verdict(""), "interactive");
    CHECK_EQ(verdict("exit"), "exit");
    constexpr Case k_cases[] = {
        {"exit ", "request.command"},
        {"exit 0", "request.command"},
        {"exit;id", "request.command"},
        {" exit", "request.command"},
        {" ", "request.command"},
        {"\n", "request.command"},
        {"id", "request.command"},
        {"/bin/sh", "request.command"},
        {"sh -c 'scp -t x'", "request.command"},
        {"env scp -t x", "request.command"},
        {"A=b scp -t x", "request.command"},
        {"rsync --server -e.LsfxCIvu . x", "request.command"},
        {"cat > x", "request.command"},
        {"SCP -t x", "request.command"},
        {"scp2 -t x", "request.command"},
        {"scp", "scp:request.command_text"},
        {"scp-t x", "request.command"},
        {"git-receive-pack 'x'", "request.command"},
        {"-t x", "request.command"},
        {"''", "request.command"},
        {"'' -t x", "request.command"},
        {"exec sh", "request.command"},
        {"echo; scp -t x", "request.command"},
    };
    check_all(k_cases);
    CHECK_EQ(verdict(std::string("id\0scp", 6)), "request.command");
    CHECK_EQ(verdict(std::string("scp -t x\0y", 10)), "scp:request.command_text");
    CHECK_EQ(verdict(std::string(1'000'000, 'x')), "request.command");
    CHECK_EQ(verdict("scp -t " + std::string(1'000'000, 'x')), "scp:request.command_text");
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(scp_sinks),
        GATE_TEST(scp_that_is_no_sink),
        GATE_TEST(sftp_in_its_spellings),
        GATE_TEST(neither_command_nor_shell),
    };
    return cmocka_run_group_tests_name("drop_request", tests, nullptr, nullptr);
}
