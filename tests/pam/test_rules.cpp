// Every rule, in both scopes, in every phase that applies them.
#include "tests/pam/stack.h"

using namespace gate::test;

namespace {

enum Expected { in, ignored, refused, unknown };

struct Row {
    const char* options;
    const char* user;
    Expected expected;
    const char* rule; // of the event, for a refusal
};

#define NOLOGIN "shell=@/usr/sbin/nologin"

constexpr Row k_rows[] = {
    // scope=members: users outside are none of our business, whatever their shell
    {"group=pandora scope=members " NOLOGIN, "pandora", in, ""},
    {"group=pandora scope=members " NOLOGIN, "second", in, ""},
    {"group=pandora scope=members " NOLOGIN, "linked", in, ""},
    {"group=pandora scope=members " NOLOGIN, "basher", refused, "shell"},
    {"group=pandora scope=members " NOLOGIN, "other", refused, "shell"},
    {"group=pandora scope=members " NOLOGIN, "empty", refused, "shell"},
    {"group=pandora scope=members " NOLOGIN, "ghost", refused, "shell"},
    {"group=pandora scope=members " NOLOGIN, "admin", ignored, ""},
    {"group=pandora scope=members " NOLOGIN, "root", ignored, ""},
    {"group=pandora scope=members " NOLOGIN, "CORP\\ada lovelace", ignored, ""},
    {"group=pandora scope=members " NOLOGIN, "rpm", ignored, ""},
    {"group=pandora scope=members " NOLOGIN, "nobody-here", unknown, "passwd"},
    {"group=pandora scope=members", "basher", in, ""},
    // user= alone: the account of the RPM packages, whose primary group is root
    {"user=rpm scope=members shell=/usr/sbin/nologin,/sbin/nologin", "rpm", in, ""},
    {"user=rpm scope=members shell=/usr/libexec/pandora-gate/drop", "rpm", refused, "shell"},
    {"user=rpm scope=members", "root", ignored, ""},
    {"user=rpm,pandora scope=members", "pandora", in, ""},
    {"user=rpm user=pandora scope=members", "pandora", in, ""},
    {"user=rpm user=pandora scope=members", "rpm", in, ""},
    {"user=rpm,pandora scope=members", "admin", ignored, ""},
    // both: who is meant by either must satisfy both
    {"user=pandora group=pandora scope=members", "pandora", in, ""},
    {"user=rpm group=pandora scope=members", "rpm", refused, "group"},
    {"user=pandora group=pandora scope=members", "second", refused, "user"},
    {"user=pandora group=pandora scope=members", "admin", ignored, ""},
    {"user=basher group=pandora scope=members " NOLOGIN, "basher", refused, "shell"},
    // scope=all: everybody must satisfy everything; it is the default
    {"group=pandora scope=all " NOLOGIN, "pandora", in, ""},
    {"group=pandora scope=all " NOLOGIN, "second", in, ""},
    {"group=pandora scope=all " NOLOGIN, "basher", refused, "shell"},
    {"group=pandora scope=all " NOLOGIN, "admin", refused, "group"},
    {"group=pandora " NOLOGIN, "admin", refused, "group"},
    {"group=pandora " NOLOGIN, "root", refused, "group"},
    {"user=rpm scope=all", "rpm", in, ""},
    {"user=rpm scope=all", "root", refused, "user"},
    {"user=rpm scope=all", "nobody-here", unknown, "passwd"},
    {"user=pandora group=pandora scope=all", "pandora", in, ""},
    {"user=pandora group=pandora scope=all", "second", refused, "user"},
    {"user=rpm group=pandora scope=all", "rpm", refused, "group"},
    // shell= alone
    {NOLOGIN, "pandora", in, ""},
    {NOLOGIN " scope=all", "admin", refused, "shell"},
    {"shell=@/sbin/nologin", "pandora", in, ""},
    {"shell=@/sbin/../sbin/nologin", "linked", in, ""},
    {"shell=/nonexistent/a,@/usr/sbin/nologin", "linked", in, ""},
    {"shell=/bin/sh", "empty", in, ""},
    {"shell=/nonexistent/shell", "ghost", in, ""},
    {"shell=/nonexistent/other", "ghost", refused, "shell"},
    // groups are numbers: another name of the same number, primary and supplementary
    {"group=receivers", "pandora", in, ""},
    {"group=receivers", "second", in, ""},
    {"group=many-too", "multi", in, ""},
    {"group=empty", "pandora", refused, "group"},
    {"group=root scope=members", "rpm", in, ""},
    // what cannot be a name is not looked up, in no scope
    {"group=pandora scope=members", "-oProxy", unknown, "name"},
    {"group=pandora scope=members", "a:b", unknown, "name"},
    {"group=pandora scope=members", "../pandora", unknown, "name"},
    {"group=pandora scope=members", "two\nlines", unknown, "name"},
    {"group=pandora scope=members", ".", unknown, "name"},
    {"group=pandora scope=members", ".pandora", unknown, "name"},
};

struct PhaseCodes {
    pamtest_ops op;
    const char* name;
    int refused, unknown;
};
constexpr PhaseCodes k_codes[] = {
    {PAMTEST_AUTHENTICATE, "auth", PAM_AUTH_ERR, PAM_USER_UNKNOWN},
    {PAMTEST_ACCOUNT, "account", PAM_PERM_DENIED, PAM_USER_UNKNOWN},
    {PAMTEST_OPEN_SESSION, "session", PAM_SESSION_ERR, PAM_SESSION_ERR},
};

int code_for(const PhaseCodes& phase, Expected expected) {
    switch (expected) {
    case in:
        return PAM_SUCCESS;
    case ignored:
        return PAM_IGNORE;
    case refused:
        return phase.refused;
    case unknown:
        return phase.unknown;
    }
    return -1;
}

void check_said(const Row& row, const PhaseCodes& phase, const std::string& where) {
    if (row.expected == in || row.expected == ignored) {
        const bool opened = row.expected == in && phase.op == PAMTEST_OPEN_SESSION;
        CHECK_MSG(events.size() == (opened ? 1U : 0U) && lines.empty(), where);
        return;
    }
    CHECK_MSG(events.size() == 1 && lines.size() == 1, where);
    CHECK_MSG(has(events[0], "\"event\":\"login.refused\""), where);
    CHECK_MSG(has(events[0], "\"rule\":\"" + std::string(row.rule) + "\""), where + ": " + events[0]);
    CHECK_MSG(has(events[0], "\"phase\":\"" + std::string(phase.name) + "\""), where);
    CHECK_MSG(has(events[0], "\"remedy\":\""), where);
    CHECK_MSG(!has(lines[0], "\n"), where);
}

void every_rule_in_both_scopes_and_every_phase() {
    for (const Row& row : k_rows) {
        for (const PhaseCodes& phase : k_codes) {
            const std::string where = std::string(row.options) + " / " + row.user + " / " + phase.name;
            const int code = module_code(expand(row.options), phase.op, row.user);
            CHECK_MSG(code == code_for(phase, row.expected), where + " returned " + name_of(code));
            check_said(row, phase, where);
        }
    }
}

void a_name_of_256_bytes_is_refused_and_one_of_255_looked_up() {
    const std::string longest(255, 'a');
    CHECK_EQ(module_code("user=pandora", PAMTEST_ACCOUNT, longest.c_str()), PAM_USER_UNKNOWN);
    CHECK(has(events[0], "\"rule\":\"passwd\""));
    CHECK_EQ(module_code("user=pandora", PAMTEST_ACCOUNT, (longest + "a").c_str()), PAM_USER_UNKNOWN);
    CHECK(has(events[0], "\"rule\":\"name\""));
    CHECK_EQ(module_code("user=pandora", PAMTEST_ACCOUNT, ""), PAM_USER_UNKNOWN);
}

// Errors of the name service, for a member and for an administrator: never in, never ignored.
void a_failing_name_service_refuses_everybody() {
    const struct {
        Faults faults;
        const char* rule;
    } table[] = {{{.getpwnam_error = EIO}, "passwd"},    {{.getpwnam_error = ENOMEM}, "passwd"},
                 {{.getpwnam_error = ERANGE}, "passwd"}, // still too small at the cap
                 {{.getgrnam_error = EIO}, "group"},     {{.getgrnam_error = ETIMEDOUT}, "group"},
                 {{.getgrouplist_fails = true}, "group"}};
    for (const auto& row : table) {
        for (const char* scope : {"members", "all"}) {
            for (const PhaseCodes& phase : k_codes) {
                faults = row.faults;
                const int code = module_code("group=pandora scope=" + std::string(scope), phase.op, "admin");
                faults = {};
                CHECK_MSG(code == PAM_SERVICE_ERR, name_of(code));
                CHECK(has(events.at(0), "\"rule\":\"" + std::string(row.rule) + "\""));
                CHECK_EQ(lines.size(), 1U);
            }
        }
    }
}

void a_group_that_does_not_exist_refuses_everybody_and_is_named() {
    for (const char* user : {"pandora", "admin", "root"}) {
        CHECK_EQ(module_code("group=no-such-group scope=members", PAMTEST_ACCOUNT, user), PAM_SERVICE_ERR);
        CHECK(has(lines.at(0), "does not exist (no-such-group)"));
    }
    faults = {.getgrnam_error = ENOENT}; // another way to say the same
    CHECK_EQ(module_code("group=pandora scope=members", PAMTEST_ACCOUNT, "pandora"), PAM_SERVICE_ERR);
    CHECK(has(lines.at(0), "does not exist"));
    faults = {.getpwnam_error = ESRCH};
    CHECK_EQ(module_code("group=pandora scope=members", PAMTEST_ACCOUNT, "pandora"), PAM_USER_UNKNOWN);
    faults = {};
}

void a_lost_group_list_does_not_free_a_listed_member() {
    faults = {.getgrouplist_lost = true};
    CHECK_EQ(module_code(expand("group=pandora scope=members shell=/bin/false"), PAMTEST_ACCOUNT, "second"),
             PAM_PERM_DENIED);
    faults = {};
}

void quiet_drops_the_line_of_a_refusal_and_keeps_its_event() {
    CHECK_EQ(module_code("user=pandora quiet", PAMTEST_ACCOUNT, "admin"), PAM_PERM_DENIED);
    CHECK(lines.empty());
    CHECK_EQ(events.size(), 1U);
    CHECK_EQ(module_code("group=no-such-group quiet", PAMTEST_ACCOUNT, "admin"), PAM_SERVICE_ERR);
    CHECK_EQ(lines.size(), 1U); // an error is not a refusal like others
}

void debug_says_why_a_login_passes() {
    CHECK_EQ(module_code("user=pandora debug", PAMTEST_ACCOUNT, "pandora"), PAM_SUCCESS);
    CHECK_EQ(lines.at(0), "user pandora: the rules are met");
    CHECK_EQ(module_code("user=pandora scope=members debug", PAMTEST_ACCOUNT, "admin"), PAM_IGNORE);
    CHECK_EQ(lines.at(0), "user admin: not a managed account, ignored");
}

} // namespace

GATE_PAM_MAIN("pam_rules", GATE_TEST(every_rule_in_both_scopes_and_every_phase),
              GATE_TEST(a_name_of_256_bytes_is_refused_and_one_of_255_looked_up),
              GATE_TEST(a_failing_name_service_refuses_everybody),
              GATE_TEST(a_group_that_does_not_exist_refuses_everybody_and_is_named),
              GATE_TEST(a_lost_group_list_does_not_free_a_listed_member),
              GATE_TEST(quiet_drops_the_line_of_a_refusal_and_keeps_its_event),
              GATE_TEST(debug_says_why_a_login_passes))
