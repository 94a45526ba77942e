// What `pandora-gate setup` writes, to the letter: PAM lines in their places, sshd's files; the diff that it
// shows; and whom it finds living as the account.
#include "tests/unit/test_ctl_setup.h"

#include "gatectl/setup/diff.h"
#include "gatectl/setup/pam.h"

using namespace gate;
using namespace gate::test;

namespace {

setup::Machine machine_of(bool debian, bool own_group = true) {
    setup::Machine out;
    out.layout = debian ? setup::Machine::Layout::debian : setup::Machine::Layout::rpm;
    out.own_group = own_group;
    out.sshd_version = 902;
    out.processors = 2;
    return out;
}

constexpr const char* k_shells = "shell=/usr/sbin/nologin,/sbin/nologin,/usr/libexec/pandora-gate/drop";

void lines_stand_where_they_belong() {
    const std::string rules = std::string("pam_pandora.so  group=pandora scope=members ") + k_shells;
    CHECK_EQ(setup::with_login_lines(k_debian_pam, machine_of(true), true),
             "# PAM configuration\n"
             "auth     [success=done ignore=ignore default=die]  " +
                 rules +
                 " enrol\n"
                 "@include common-auth\n"
                 "account    required     pam_nologin.so\n"
                 "account  requisite  " +
                 rules +
                 "\n"
                 "@include common-account\n"
                 "session    required     pam_loginuid.so\n"
                 "session  requisite  " +
                 rules +
                 " require_key enrol\n"
                 "@include common-session\n"
                 "session    optional     pam_motd.so\n"
                 "@include common-password\n");
    const std::string of_user = std::string("pam_pandora.so  user=pandora scope=members ") + k_shells;
    CHECK_EQ(setup::with_login_lines(k_rpm_pam, machine_of(false, false), true),
             "#%PAM-1.0\n"
             "auth     [success=done ignore=ignore default=die]  " +
                 of_user +
                 " enrol\n"
                 "auth       substack     password-auth\n"
                 "auth       include      postlogin\n"
                 "account    required     pam_nologin.so\n"
                 "account  requisite  " +
                 of_user +
                 "\n"
                 "account    required     pam_sepermit.so\n"
                 "account    include      password-auth\n"
                 "password   include      password-auth\n"
                 "session    required     pam_selinux.so close\n"
                 "session    required     pam_loginuid.so\n"
                 "session  requisite  " +
                 of_user +
                 " require_key enrol\n"
                 "session    include      password-auth\n"
                 "session    include      postlogin\n");
}

void lines_are_put_in_once() {
    for (const bool debian : {true, false})
        for (const bool enrolment : {true, false}) {
            const setup::Machine machine = machine_of(debian);
            const char* text = debian ? k_debian_pam : k_rpm_pam;
            const std::string once = setup::with_login_lines(text, machine, enrolment);
            CHECK_EQ(setup::with_login_lines(once, machine, enrolment), once);
            CHECK_EQ(contains(once, "enrol"), enrolment);
            // From one to the other, and over what was written by hand.
            CHECK_EQ(setup::with_login_lines(once, machine, !enrolment),
                     setup::with_login_lines(text, machine, !enrolment));
            const std::string by_hand =
                "account required /lib/security/pam_pandora.so user=x\n" + std::string(text);
            CHECK_EQ(setup::with_login_lines(by_hand, machine, enrolment), once);
            // A comment is nobody's rule, and the line of services= is another's business.
            const std::string other = "#account required pam_pandora.so user=x\n"
                                      "password required pam_pandora.so user=x services=sshd\n" +
                                      std::string(text);
            CHECK(contains(setup::with_login_lines(other, machine, enrolment), "services=sshd"));
            CHECK(contains(setup::with_login_lines(other, machine, enrolment),
                           "#account required pam_pandora"));
        }
    refused(ctl::Status::refused, "several lines", [] {
        static_cast<void>(setup::with_login_lines("account required pam_pandora.so \\\n user=x\n",
                                                  machine_of(true), false));
    });
}

void the_line_of_services_is_the_first_of_its_kind() {
    const std::string line = "account  requisite  pam_pandora.so  group=pandora scope=members services=a,b\n";
    CHECK_EQ(setup::with_services_line("# x\naccount [success=1 default=ignore] pam_unix.so\n",
                                       machine_of(true), "a,b"),
             line + "# x\naccount [success=1 default=ignore] pam_unix.so\n");
    const char* rpm = "#%PAM-1.0\nauth required pam_unix.so\naccount sufficient pam_localuser.so\n";
    const std::string with =
        "#%PAM-1.0\nauth required pam_unix.so\n" + line + "account sufficient pam_localuser.so\n";
    CHECK_EQ(setup::with_services_line(rpm, machine_of(false), "a,b"), with);
    CHECK_EQ(setup::with_services_line(with, machine_of(false), "a,b"), with);
}

void the_service_of_its_own_lets_nobody_else_in() {
    const std::string rules = std::string("pam_pandora.so  scope=all group=pandora ") + k_shells;
    const std::string text = setup::own_service(machine_of(true), true);
    CHECK_EQ(text.substr(text.find("\nauth") + 1), "auth      [success=done ignore=ignore default=die]  " +
                                                       rules +
                                                       " enrol\n"
                                                       "auth      required   pam_unix.so\n"
                                                       "account   requisite  " +
                                                       rules +
                                                       "\n"
                                                       "account   required   pam_unix.so\n"
                                                       "session   requisite  " +
                                                       rules +
                                                       " require_key enrol\n"
                                                       "-session  optional   pam_loginuid.so\n"
                                                       "password  requisite  pam_deny.so\n");
    const std::string keys = setup::own_service(machine_of(false), false);
    CHECK(contains(keys, "\nauth      requisite  pam_deny.so\naccount "));
    CHECK(!contains(keys, "enrol") && contains(keys, "session   required   pam_selinux.so open\n"));
}

std::string shipped() {
    const char* top = std::getenv("GATE_SOURCE");
    return read_file(std::string(top != nullptr ? top : ".") + "/conf/sshd_config.d/00-pandora-gate.conf");
}

// Without comments and empty lines.
std::string bare(const std::string& text) {
    std::string out;
    for (const std::string& line : setup::lines(text))
        if (const auto word = setup::words(line); !word.empty() && word[0].front() != '#')
            out += line + '\n';
    return out;
}

constexpr const char* k_global_rest =
    "HostbasedAuthentication no\nPermitEmptyPasswords no\n"
    "ForceCommand /usr/libexec/pandora-gate/drop\nExposeAuthInfo yes\n"
    "DisableForwarding yes\nAllowAgentForwarding no\nAllowTcpForwarding no\n"
    "AllowStreamLocalForwarding no\nGatewayPorts no\nPermitTunnel no\n"
    "X11Forwarding no\nPermitTTY no\nPermitUserRC no\nBanner none\n"
    "LogLevel VERBOSE\n";

void the_sshd_of_its_own_to_the_letter() {
    const std::string head = "Port 2222\nPidFile /run/pandora-gate/sshd.pid\n"
                             "HostKey /etc/pandora-gate/ssh_host_ed25519_key\n"
                             "HostKey /etc/pandora-gate/ssh_host_ecdsa_key\n"
                             "HostKey /etc/pandora-gate/ssh_host_rsa_key\nUsePAM yes\n";
    const std::string who =
        "AllowUsers pandora\nPermitRootLogin no\nPermitUserEnvironment no\n"
        "FingerprintHash sha256\nStrictModes yes\nUseDNS no\nSubsystem sftp internal-sftp\n"
        "MaxStartups 400:30:800\nLoginGraceTime 79\n";
    const std::string keys = "AuthorizedKeysFile none\n"
                             "AuthorizedKeysCommand /usr/libexec/pandora-gate/authkeys %u %f\n"
                             "AuthorizedKeysCommandUser _pandora-gate\nAuthorizedPrincipalsFile none\n"
                             "TrustedUserCAKeys none\nRevokedKeys /var/lib/pandora-gate/revoked_keys\n";
    setup::SshWishes wishes{.own_port = 2222,
                            .legacy_clients = false,
                            .enrolment = true,
                            .sizes = {.agents = 300, .interval = 300}};
    setup::Machine machine = machine_of(true);
    CHECK_EQ(bare(setup::own_config(shipped(), machine, wishes)),
             head + who + "PerSourceMaxStartups none\n" + keys +
                 "AuthenticationMethods publickey password\nPubkeyAuthentication yes\n"
                 "PasswordAuthentication yes\nKbdInteractiveAuthentication no\n" +
                 k_global_rest);
    machine.sshd_version = 1005;
    wishes.enrolment = false;
    CHECK_EQ(bare(setup::own_config(shipped(), machine, wishes)),
             head + "PAMServiceName pandora-sshd\n" + who +
                 "PerSourceMaxStartups none\nPerSourcePenalties no\n" + keys +
                 "AuthenticationMethods publickey\nPubkeyAuthentication yes\n"
                 "PasswordAuthentication no\nKbdInteractiveAuthentication no\n" +
                 k_global_rest);
    machine.sshd_version = 804; // knows neither
    wishes.legacy_clients = true;
    const std::string old = bare(setup::own_config(shipped(), machine, wishes));
    CHECK(!contains(old, "PerSource") && contains(old, "\nPubkeyAcceptedKeyTypes +ssh-rsa\n"));
    // Whatever is old comes behind what is better: a `+` each.
    for (const std::string& line : setup::lines(old))
        if (contains(line, "sha1") || contains(line, "cbc") || contains(line, "ssh-rsa"))
            CHECK_EQ(setup::words(line)[1].front(), '+');
}

void the_drop_in_is_the_shipped_one() {
    const setup::SshWishes keys_only{.own_port = 0, .legacy_clients = false, .enrolment = false, .sizes = {}};
    std::string expected = shipped();
    expected.replace(expected.find("    #RevokedKeys"), 16, "    RevokedKeys");
    CHECK_EQ(bare(setup::drop_in(shipped(), machine_of(true), keys_only)), bare(expected));
    setup::Machine other = machine_of(true);
    other.policy.account_user = "agents";
    CHECK(contains(setup::drop_in(shipped(), other, keys_only), "\nMatch User agents\n"));
    const setup::SshWishes sized{.own_port = 0,
                                 .legacy_clients = false,
                                 .enrolment = true,
                                 .sizes = {.agents = 3000, .interval = 300}};
    CHECK(contains(setup::drop_in(shipped(), other, sized), "\nMaxStartups 3750:30:7500\n"));
    refused(ctl::Status::bad_data, "install the package again",
            [&] { static_cast<void>(setup::drop_in("Port 22\n", other, sized)); });
    CHECK(setup::reads_drop_in("Port 22\ninclude /etc/ssh/sshd_config.d/*.conf\n"));
    CHECK(!setup::reads_drop_in("Port 22\n#Include /etc/ssh/sshd_config.d/*.conf\n"));
    // Behind a Match it is of that block.
    CHECK(!setup::reads_drop_in("Match User x\nInclude /etc/ssh/sshd_config.d/*.conf\n"));
    CHECK(setup::reads_drop_in(setup::with_include("Port 22\n")));
}

void all_at_once_get_in() {
    for (const std::uint64_t agents : {1U, 300U, 3000U, 100'000U}) {
        const std::string text = setup::max_startups(agents);
        CHECK(std::stoull(text) >= agents + 100);
    }
    // The last waits for the others, at most for an interval.
    CHECK_EQ(setup::login_grace({.agents = 10, .interval = 300}, 2), std::uint64_t{60});
    CHECK_EQ(setup::login_grace({.agents = 300, .interval = 300}, 2), std::uint64_t{79});
    CHECK_EQ(setup::login_grace({.agents = 3000, .interval = 300}, 2), std::uint64_t{300});
    CHECK_EQ(setup::login_grace({.agents = 3000, .interval = 300}, 16), std::uint64_t{91});
    CHECK_EQ(setup::parse_sshd_version("OpenSSH_9.2p1 Debian-2+deb12u7"), 902);
    CHECK_EQ(setup::parse_sshd_version("unknown option -- V\nOpenSSH_8.0p1, OpenSSL 1.1.1k"), 800);
    CHECK_EQ(setup::parse_sshd_version("OpenSSH_10.5p1"), 1005);
    CHECK_EQ(setup::parse_sshd_version("dropbear"), 0);
}

void a_diff_as_diff_prints_it() {
    std::string from;
    for (int i = 1; i <= 20; ++i)
        from += std::to_string(i) + '\n';
    std::string to = from;
    to.replace(to.find("3\n"), 2, "three\n");
    to.replace(to.find("\n16\n"), 4, "\n");
    CHECK_EQ(setup::unified_diff("a", "b", from, to),
             "--- a\n+++ b\n"
             "@@ -1,6 +1,6 @@\n 1\n 2\n-3\n+three\n 4\n 5\n 6\n"
             "@@ -13,7 +13,6 @@\n 13\n 14\n 15\n-16\n 17\n 18\n 19\n");
    CHECK_EQ(setup::unified_diff("/dev/null", "b", "", "x\ty\\n\x1b\n"),
             std::string("--- /dev/null\n+++ b\n@@ -0,0 +1 @@\n+x\ty\\n\\x1b\n"));
    CHECK_EQ(setup::unified_diff("a", "b", from, from), std::string());
}

std::map<std::string, bool> lives_of(FakeMachine& m, const setup::Request& request) {
    std::map<std::string, bool> out;
    const keyring::Policy policy;
    for (const auto& life :
         setup::find_lives(m.place, setup::look_at_machine(m.place, m.programs, policy), request))
        out[life.name] = life.breaks;
    return out;
}

void who_lives_as_the_account_is_found() {
    FakeMachine m;
    m.add_pandora(true);
    CHECK(lives_of(m, to_apply()).empty()); // the control
    m.file("/proc/17/status", "Name:\ttentacle_server\nUid:\t500\t500\t500\t500\n");
    m.file("/proc/18/status", "Name:\tbash\nUid:\t0\t0\t0\t0\n");
    m.file("/proc/19/status", "Name:\tdrop\nUid:\t500\t500\t500\t500\n");
    m.file("/var/spool/cron/crontabs/pandora", "* * * * * x\n");
    m.file("/etc/crontab", "# * * * * * pandora x\n@daily pandora /usr/bin/x\n");
    m.file("/etc/cron.d/root", "* * * * * root echo pandora\n");
    m.file("/etc/cron.daily/one", "su -s /bin/sh -c x pandora\n");
    m.file("/etc/init.d/two", "start-stop-daemon --start --chuid pandora\n# su pandora\nsu other\n");
    m.file("/etc/init.d/three", "sudo -u pandora x\n");
    m.file("/etc/init.d/four", "sudo -i -u pandora\n");
    m.file("/etc/init.d/five", "/sbin/runuser -l pandora -c 'x'\n");
    m.file("/etc/init.d/six", "runuser -u pandora -- x\n");
    m.file("/etc/rc.local", "\"$(su - pandora -c x)\"\n");
    m.file("/etc/systemd/system/seven.service", "[Service]\nUser=pandora\nExecStart=/x\n");
    m.file("/etc/systemd/system/eight.service", "[Service]\nUser=pandora\nPAMName=login\n");
    m.file("/etc/systemd/system/nine.service", "[Service]\nExecStart=/bin/su pandora -c x\n");
    m.file("/etc/pandora/pandora_server.conf", "#ha_sshuser pandora\nha_sshuser pandora\n");
    m.file("/home/pandora/.ssh/authorized_keys", "# x\nssh-ed25519 AAAA x\n");
    m.append("/etc/passwd", "ann:x:700:700::/home/ann:/bin/bash\nbob:x:701:701::/home/bob:/bin/bash\n");
    m.append("/etc/passwd", "ftp1:x:702:702::/:/usr/sbin/nologin\n");
    write_file(m.dir / "etc/group", "root:x:0:\npandora:x:500:ann,ftp1\n");
    const std::map<std::string, bool> expected = {{"process:tentacle_server", false},
                                                  {"cron:/var/spool/cron/crontabs/pandora", true},
                                                  {"cron:/etc/crontab", true},
                                                  {"script:/etc/cron.daily/one", true},
                                                  {"script:/etc/init.d/three", false},
                                                  {"script:/etc/init.d/four", true},
                                                  {"script:/etc/init.d/five", true},
                                                  {"script:/etc/init.d/six", false},
                                                  {"script:/etc/rc.local", true},
                                                  {"unit:seven.service", false},
                                                  {"unit:eight.service", true},
                                                  {"unit:nine.service", true},
                                                  {"ha:ha_sshuser", true},
                                                  {"keys:/home/pandora/.ssh/authorized_keys", true},
                                                  {"member:ann", true}};
    const auto found = lives_of(m, to_apply());
    for (const auto& [name, breaks] : expected)
        CHECK_MSG(found.contains(name) && found.at(name) == breaks, name);
    for (const auto& [name, breaks] : found)
        CHECK_MSG(expected.contains(name), name);
    // Not without consent, and with all of it.
    const auto before = m.all();
    setup::Request request = to_apply();
    for (const auto& [name, breaks] : expected)
        if (breaks && name != "member:ann")
            request.yes_break.push_back(name);
    refused(ctl::Status::refused, "or say --yes-break member:ann",
            [&] { static_cast<void>(m.run(request)); });
    m.same(before, "without consent");
    request.yes_break.emplace_back("member:ann");
    CHECK(contains(m.run(request), "BREAKS (accepted): "));
    // What processes run keeps usermod from changing the home.
    CHECK(contains(read_file(m.dir / "etc/passwd"), "::/home/pandora:/usr/libexec/pandora-gate/drop\n"));
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(lines_stand_where_they_belong),
        GATE_TEST(lines_are_put_in_once),
        GATE_TEST(the_line_of_services_is_the_first_of_its_kind),
        GATE_TEST(the_service_of_its_own_lets_nobody_else_in),
        GATE_TEST(the_sshd_of_its_own_to_the_letter),
        GATE_TEST(the_drop_in_is_the_shipped_one),
        GATE_TEST(all_at_once_get_in),
        GATE_TEST(a_diff_as_diff_prints_it),
        GATE_TEST(who_lives_as_the_account_is_found),
    };
    return cmocka_run_group_tests_name("ctl_setup_texts", tests, nullptr, nullptr);
}
