// A line that is not understood refuses everybody, in every entry point, and the log names the word.
#include "tests/pam/stack.h"

using namespace gate::test;

namespace {

struct Row {
    const char* options;
    const char* word; // shown in line and event
    const char* why;
};

constexpr Row k_rows[] = {
    {"", "(none)", "no rule"},
    {"debug quiet", "(none)", "no rule"},
    {"scope=all", "(none)", "no rule"},
    {"keyring=/x", "(none)", "no rule"},
    {"onerr=succeed", "(none)", "no rule"},
    {"user=pandora denied=/etc/x", "denied=/etc/x", "unknown option"},
    {"user=pandora usr", "usr", "unknown option"},
    {"user=pandora User=x", "User=x", "unknown option"},
    {"user=pandora =x", "=x", "unknown option"},
    {"user=pandora [=]", "=", "unknown option"},
    {"user=pandora sufficient", "sufficient", "unknown option"},
    {"user=pandora quiet=yes", "quiet=yes", "takes no value"},
    {"user=pandora debug=", "debug=", "takes no value"},
    {"user", "user", "needs a value"},
    {"group shell=/x", "group", "needs a value"},
    {"user=pandora shell", "shell", "needs a value"},
    {"user=pandora scope", "scope", "needs a value"},
    {"user=pandora keyring", "keyring", "needs a value"},
    {"user=", "user=", "empty value"},
    {"group=", "group=", "empty value"},
    {"user=pandora shell=", "shell=", "empty value"},
    {"user=pandora scope=", "scope=", "empty value"},
    {"user=pandora keyring=", "keyring=", "empty value"},
    {"user=a,,b", "user=a,,b", "empty element"},
    {"user=a,", "user=a,", "empty element"},
    {"user=,a", "user=,a", "empty element"},
    {"shell=/a,", "shell=/a,", "empty element"},
    {"user=a,a", "user=a,a", "the same value twice"},
    {"user=a user=a", "user=a", "the same value twice"},
    {"shell=/a,/a", "shell=/a,/a", "the same value twice"},
    {"group=a group=b", "group=b", "given twice"},
    {"group=a group=a", "group=a", "given twice"},
    {"user=a scope=all scope=all", "scope=all", "given twice"},
    {"user=a keyring=/a keyring=/b", "keyring=/b", "given twice"},
    {"user=a quiet quiet", "quiet", "given twice"},
    {"user=a debug debug", "debug", "given twice"},
    {"user=a scope=everybody", "scope=everybody", "neither members nor all"},
    {"user=a scope=Members", "scope=Members", "neither members nor all"},
    {"shell=/a scope=members", "scope=members", "says nothing without"},
    {"shell=nologin", "shell=nologin", "not an absolute path"},
    {"user=a keyring=file", "keyring=file", "not an absolute path"},
    {"user=-a", "user=-a", "not a user name"},
    {"user=a:b", "user=a:b", "not a user name"},
    {"user=.a", "user=.a", "not a user name"},
    {"user=a deny", "deny", "needs a value"},
    {"user=a deny=", "deny=", "empty value"},
    {"deny=ftpusers", "deny=ftpusers", "not an absolute path"},
    {"deny=/a deny=/b", "deny=/b", "given twice"},
    {"deny=/a deny=/a", "deny=/a", "given twice"},
    {"deny=/a onerr", "onerr", "needs a value"},
    {"deny=/a onerr=ignore", "onerr=ignore", "neither fail nor succeed"},
    {"deny=/a onerr=Fail", "onerr=Fail", "neither fail nor succeed"},
    {"deny=/a onerr=fail onerr=succeed", "onerr=succeed", "given twice"},
    {"user=a onerr=succeed", "onerr=", "says nothing without deny="},
    {"user=a onerr=fail", "onerr=", "says nothing without deny="},
    {"deny=/a scope=members", "scope=members", "says nothing without"},
    {"services=sshd scope=members", "scope=members", "says nothing without"},
    {"user=a services", "services", "needs a value"},
    {"services=", "services=", "empty value"},
    {"services=sshd,", "services=sshd,", "empty element"},
    {"services=sshd,sshd", "services=sshd,sshd", "the same value twice"},
    {"services=SSHD", "services=SSHD", "in lower case"},
    {"services=/etc/pam.d/sshd", "services=/etc/pam.d/sshd", "not the name of a service"},
    {"rhost", "rhost", "needs a value"},
    {"rhost=", "rhost=", "empty value"},
    {"rhost=10.0.0.0/8,", "rhost=10.0.0.0/8,", "empty element"},
    {"rhost=10.0.0.1,10.0.0.1/32", "rhost=10.0.0.1,10.0.0.1/32", "the same value twice"},
    {"rhost=10.0.0.1/8", "rhost=10.0.0.1/8", "bits behind the prefix"},
    {"rhost=2001:db8::1/32", "rhost=2001:db8::1/32", "bits behind the prefix"},
    {"rhost=10.0.0.0/33", "rhost=10.0.0.0/33", "not the length of a prefix"},
    {"rhost=::/129", "rhost=::/129", "not the length of a prefix"},
    {"rhost=10.0.0.0/255.0.0.0", "rhost=10.0.0.0/255.0.0.0", "not the length of a prefix"},
    {"rhost=::ffff:10.0.0.1", "rhost=::ffff:10.0.0.1", "IPv4 address inside IPv6"},
    {"rhost=::ffff:10.0.0.0/104", "rhost=::ffff:10.0.0.0/104", "IPv4 address inside IPv6"},
    {"rhost=fe80::1%eth0", "rhost=fe80::1%eth0", "not an address"},
    {"rhost=localhost", "rhost=localhost", "not an address"},
    {"rhost=10.0.0.*", "rhost=10.0.0.*", "not an address"},
    {"user=a require_key=yes", "require_key=yes", "takes no value"},
    {"user=a require_key require_key", "require_key", "given twice"},
    {"group=a,b", "group=a,b", "not the name of one group"},
    {"group=a/b", "group=a/b", "not the name of one group"},
};

constexpr std::pair<pamtest_ops, const char*> k_entries[] = {{PAMTEST_AUTHENTICATE, "auth"},
                                                             {PAMTEST_SETCRED, "setcred"},
                                                             {PAMTEST_ACCOUNT, "account"},
                                                             {PAMTEST_OPEN_SESSION, "session"},
                                                             {PAMTEST_CLOSE_SESSION, "session"}};

void a_bad_line_refuses_everybody_and_names_the_word() {
    for (const Row& row : k_rows) {
        for (const auto& [op, phase] : k_entries) {
            for (const char* user : {"pandora", "admin", "root", "nobody-here"}) {
                const std::string where = std::string(row.options) + " / " + phase + " / " + user;
                const int code = module_code(row.options, op, user);
                CHECK_MSG(code == PAM_SERVICE_ERR, where + " returned " + name_of(code));
                CHECK_MSG(lines.size() == 1 && events.size() == 1, where);
                CHECK_MSG(has(lines[0], row.why) && lines[0].ends_with(": " + std::string(row.word)),
                          where + ": " + lines[0]);
                CHECK_MSG(has(events[0], "\"rule\":\"options\"") && has(events[0], row.word), where);
                CHECK_MSG(has(events[0], "\"user\":\"" + std::string(user) + "\""), where);
            }
        }
    }
}

// The service does not say which key it was before open_session.
void require_key_stands_on_a_session_line_only() {
    for (const auto& [op, phase] : k_entries) {
        const bool session = std::string_view(phase) == "session";
        const int code = module_code("require_key", op, "pandora");
        CHECK_MSG((code == PAM_SERVICE_ERR) != session, std::string(phase) + " returned " + name_of(code));
        if (session)
            continue;
        CHECK_MSG(has(lines.at(0), "stands on a session line only") && has(lines[0], ": require_key"),
                  lines[0]);
        CHECK(has(events.at(0), "\"rule\":\"options\""));
    }
}

// Each rule alone makes a line; onerr, keyring, quiet and debug do not.
void any_one_rule_is_enough() {
    for (const char* options : {"user=pandora", "group=pandora", "shell=/bin/sh", "deny=/nonexistent",
                                "services=gate", "rhost=10.0.0.0/8"}) {
        static_cast<void>(module_code(options, PAMTEST_ACCOUNT, "pandora"));
        for (const std::string& event : events)
            CHECK_MSG(!has(event, "\"rule\":\"options\""), event);
    }
}

void quiet_does_not_hide_a_bad_line() {
    CHECK_EQ(module_code("user=pandora quiet nonsense", PAMTEST_ACCOUNT, "pandora"), PAM_SERVICE_ERR);
    CHECK_EQ(lines.size(), 1U);
}

void a_word_with_control_bytes_is_shown_escaped() {
    CHECK_EQ(module_code("user=pandora \x1b[2Jx\xff", PAMTEST_ACCOUNT, "pandora"), PAM_SERVICE_ERR);
    CHECK(has(lines.at(0), "\\x1b[2Jx\\xff"));
    CHECK(has(events.at(0), "\\u001b[2Jx\\u00ff") || has(events.at(0), "\\\\x1b[2Jx\\\\xff"));
}

void words_may_come_in_any_order() {
    for (const char* options :
         {"quiet scope=members user=pandora debug", "debug user=pandora quiet scope=members"})
        CHECK_EQ(module_code(options, PAMTEST_ACCOUNT, "pandora"), PAM_SUCCESS);
    // PAM's own spelling of a word with a space
    CHECK_EQ(module_code("[user=CORP\\ada lovelace]", PAMTEST_ACCOUNT, "CORP\\ada lovelace"), PAM_SUCCESS);
}

} // namespace

GATE_PAM_MAIN("pam_options", GATE_TEST(a_bad_line_refuses_everybody_and_names_the_word),
              GATE_TEST(require_key_stands_on_a_session_line_only), GATE_TEST(any_one_rule_is_enough),
              GATE_TEST(quiet_does_not_hide_a_bad_line),
              GATE_TEST(a_word_with_control_bytes_is_shown_escaped), GATE_TEST(words_may_come_in_any_order))
