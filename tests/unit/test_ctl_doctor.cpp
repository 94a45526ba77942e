// The doctor on made-up machines: what it reads of sshd and PAM, what it finds, what it leaves out, and what
// it prints.
#include "tests/unit/test_ctl_doctor.h"

#include "gatectl/doctor/logs.h"
#include "gatectl/doctor/print.h"

#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>

using namespace gate;
using namespace gate::test;
namespace doctor = gate::ctl::doctor;

namespace {

constexpr const char* k_drop_in = "/etc/ssh/sshd_config.d/00-pandora-gate.conf";
constexpr const char* k_pam = "/etc/pam.d/sshd";
constexpr const char* k_line =
    "requisite pam_pandora.so group=pandora scope=members shell=/usr/sbin/nologin," GATE_LIBEXECDIR "/drop";

} // namespace

doctor::Ran FakeMachine::run(const std::vector<std::string>& argv) const {
    if (argv[1] == "-V")
        return {.status = 0, .out = {}, .err = version + "\n"};
    if (sshd_fails)
        return {.status = 255,
                .out = {},
                .err = argv[3] + ": line 3: Bad configuration option: Nonsense\nmore\n"};
    doctor::SshdConfig config;
    std::string out = sshd_says + "usepam yes\nsubsystem sftp internal-sftp\nfingerprinthash SHA256\n"
                                  "permituserenvironment no\nrevokedkeys none\n";
    if (argv[3] == doctor::k_main_config || argv[3] == doctor::k_own_config) {
        const std::string file = argv[3] == doctor::k_own_config ? argv[3] : k_drop_in;
        const std::string text = read(file).value_or("");
        for (std::string_view rest = text; !rest.empty();) {
            const auto words = doctor::words_of(rest.substr(0, rest.find('\n')));
            rest.remove_prefix(std::min(rest.size(), rest.find('\n') + 1));
            if (words.size() < 2 || words[0].starts_with('#') || words[0] == "Match")
                continue;
            out += camel_case ? words[0] : doctor::lower(words[0]);
            for (std::size_t i = 1; i < words.size(); ++i)
                out += ' ' + words[i];
            out += '\n';
        }
    }
    return {.status = 0, .out = std::move(out), .err = {}};
}

DoctorPlace::DoctorPlace() {
    if (::chmod(dir.path().c_str(), 0755) != 0) // it is "/"
        raise(__FILE__, __LINE__, "chmod");
    files();
    directories();
    write_file(context.config, "");
    static_cast<void>(add(k_ed25519, {"web01"}, "web"));
    static_cast<void>(add(k_ecdsa256, {"web02"}, "web2")); // there is a previous keyring
    machine.make(dir / "state", 0700, {999, 993});
}

void DoctorPlace::files() {
    machine.put("/etc/passwd", "root:x:0:0::/root:/bin/bash\n_pandora-gate:x:995:995::/:/usr/sbin/nologin\n"
                               "pandora:x:999:993::/var/lib/pandora-gate/home:" GATE_LIBEXECDIR "/drop\n");
    machine.put("/etc/group", "root:x:0:\npandora:x:993:other\ndaemon:x:1:\n");
    machine.put("/etc/shadow", "pandora:*:20781::::::\n");
    machine.put("/etc/shells", "/bin/sh\n/bin/bash\n");
    machine.put("/usr/sbin/sshd", "", 0755);
    machine.put("/etc/ssh/sshd_config",
                "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\nSubsystem sftp internal-sftp\n");
    machine.put(k_drop_in, read_file("conf/sshd_config.d/00-pandora-gate.conf"));
    machine.put(k_pam,
                fmt::format("@include common-auth\naccount required pam_nologin.so\naccount {0}\n"
                            "@include common-account\nsession {0} require_key\n@include common-session\n",
                            k_line));
    machine.put("/etc/pam.d/common-auth",
                "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\n");
    machine.put("/etc/pam.d/common-account", "account [success=1 new_authtok_reqd=done default=ignore] "
                                             "pam_unix.so\naccount requisite pam_deny.so\n");
    machine.put("/etc/pam.d/common-session", "session required pam_unix.so\n");
    machine.put("/lib/x86_64-linux-gnu/security/pam_pandora.so", "");
    for (const char* name : {"authkeys", "drop"})
        machine.put(GATE_LIBEXECDIR "/" + std::string(name), "", 0755);
    machine.put("/usr/sbin/rsyslogd", "", 0755);
    machine.put("/etc/rsyslog.d/pandora-gate.conf", "file=\"/var/log/pandora-gate/audit.jsonl\"\n");
    machine.put("/var/log/pandora-gate/audit.jsonl", "");
}

void DoctorPlace::directories() {
    machine.make("/var/lib/pandora-gate/home", 0755);
    machine.make("/tmp", 01777);
    machine.make("/var/spool/pandora/data_in", 02770, {999, 33});
    machine.make("/var/spool/pandora/data_in/conf", 0755);
    machine.make("/var/spool/pandora/staging", 02770, {999, 33});
    machine.make("/var/spool/pandora/quarantine", 01730, {0, 993});
}

doctor::Diagnosis DoctorPlace::diagnosis(const std::vector<std::string>& only) {
    const doctor::Facts facts = doctor::gather(context, machine);
    return doctor::diagnose(facts, only);
}

std::string DoctorPlace::ids(const std::vector<std::string>& only) {
    std::string out;
    for (const doctor::Finding& finding : diagnosis(only).findings)
        out += (out.empty() ? "" : " ") + std::string(finding.id);
    return out;
}

namespace {

void a_good_machine_has_nothing() {
    DoctorPlace p;
    CHECK_EQ(p.ids(), "");
    CHECK(p.diagnosis().skipped.empty());
    CHECK_EQ(p.diagnosis().looked, doctor::all_checks().size());
}

void keywords_in_mixed_case_are_the_same() {
    DoctorPlace p;
    p.machine.camel_case = true;
    p.machine.version = "OpenSSH_10.5p1, OpenSSL 3.5.1";
    CHECK_EQ(p.ids(), "");
    p.machine.replace(k_drop_in, "    PermitTTY no", "    PermitTTY yes");
    CHECK_EQ(p.ids(), "sshd.tty");
}

void nothing_is_set_up() {
    DoctorPlace p;
    std::filesystem::remove(p.machine.at(k_drop_in));
    p.machine.put("/etc/shells", GATE_LIBEXECDIR "/drop\n"); // of no interest before there is a gate
    CHECK_EQ(p.ids(), "sshd.not_set_up");
    CHECK(!p.diagnosis().skipped.empty());
    for (const doctor::Skipped& left : p.diagnosis().skipped)
        CHECK_EQ(left.because, "sshd.not_set_up");
}

void a_gate_of_its_own() {
    DoctorPlace p;
    const std::string shipped = read_file("conf/sshd_config.d/00-pandora-gate.conf");
    p.machine.put(doctor::k_own_config, shipped);
    p.machine.put(k_drop_in, "DenyUsers pandora\n");
    p.machine.put("/etc/pam.d/pandora-sshd", fmt::format("account {0}\nsession {0} require_key\n", k_line));
    p.machine.put("/etc/systemd/system/pandora-gate-sshd.service",
                  "ExecStart=" GATE_LIBEXECDIR "/pandora-sshd -D\n");
    p.machine.put(GATE_LIBEXECDIR "/pandora-sshd", "", 0755);
    p.machine.put("/run/pandora-gate/sshd.pid", "4711\n");
    CHECK_EQ(p.ids(), "");
    p.machine.put("/run/pandora-gate/sshd.pid", "4712\n");
    CHECK_EQ(p.ids(), "gate.down");
    p.machine.put("/run/pandora-gate/sshd.pid", "4711\n");
    p.machine.put(k_drop_in, "DenyUsers nobody\n");
    CHECK_EQ(p.ids(), "gate.admin_port");
    p.machine.put(k_drop_in, "DenyUsers pand*\n");
    CHECK_EQ(p.ids(), "");
    p.machine.put(k_drop_in, "DenyGroups pandora\n");
    CHECK_EQ(p.ids(), "");
}

void a_token_is_known_by_the_version() {
    DoctorPlace p;
    p.machine.replace(k_drop_in, "authkeys %u %f", "authkeys %u %f %C");
    CHECK_EQ(p.ids(), "sshd.token");
    p.machine.version = "OpenSSH_9.4p1";
    CHECK_EQ(p.ids(), "sshd.keys_command"); // it is known, but authkeys is not asked so
    p.machine.version = "OpenSSH_10.5p1";
    CHECK_EQ(p.ids(), "sshd.keys_command");
    p.machine.replace(k_drop_in, "%C", "%%");
    CHECK_EQ(p.ids(), "sshd.keys_command");
    p.machine.replace(k_drop_in, "%%", "%Y");
    CHECK_EQ(p.ids(), "sshd.token");
}

void the_line_that_wins_is_named() {
    DoctorPlace p;
    p.machine.put("/etc/ssh/sshd_config.d/00-a.conf", "# x\n\nMatch User pandora\n  PermitTTY \"yes\"\n");
    p.machine.sshd_says = "permittty yes\n"; // the first is in force
    const auto found = p.diagnosis().findings;
    CHECK_EQ(found.size(), 1U);
    CHECK_EQ(found[0].id, "sshd.overridden");
    CHECK(found[0].evidence.starts_with("/etc/ssh/sshd_config.d/00-a.conf:4 says `permittty yes`"));
}

// As --legacy-clients has it; sshd -T prints the whole list.
void a_list_that_is_added_to_is_not_overridden() {
    DoctorPlace p;
    const std::string shipped = read_file("conf/sshd_config.d/00-pandora-gate.conf");
    p.machine.sshd_says = "kexalgorithms a,b,c\n";
    for (const char* added : {"+c", "-d", "^a"}) {
        p.machine.put(k_drop_in, fmt::format("KexAlgorithms {}\n{}", added, shipped));
        CHECK_EQ(p.ids(), "");
    }
    p.machine.put(k_drop_in, "KexAlgorithms c\n" + shipped);
    CHECK_EQ(p.ids(), "sshd.overridden");
}

void what_sshd_says_of_a_bad_line_is_the_evidence() {
    DoctorPlace p;
    p.machine.sshd_fails = true;
    const auto found = p.diagnosis().findings;
    CHECK_EQ(found.size(), 1U);
    CHECK_EQ(found[0].id, "sshd.config");
    CHECK_EQ(found[0].evidence, "/etc/ssh/sshd_config: line 3: Bad configuration option: Nonsense");
}

void what_stands_before_a_pam_line() {
    DoctorPlace p;
    const auto account = [&p](const std::string& before) {
        p.machine.put(k_pam, fmt::format("{1}account {0}\nsession {0} require_key\n", k_line, before));
        return p.ids();
    };
    CHECK_EQ(account(""), "");
    CHECK_EQ(account("account required pam_nologin.so\n"), "");
    CHECK_EQ(account("account sufficient pam_localuser.so\n"), "pam.account_shadowed");
    CHECK_EQ(account("-account [default=ignore \\\n success=done] pam_sss.so\n"), "pam.account_shadowed");
    CHECK_EQ(account("account [success=1 default=ignore] pam_x.so\n"), "pam.account_shadowed");
    CHECK_EQ(account("account [success=1 default=ignore] pam_x.so\naccount requisite pam_deny.so\n"), "");
    CHECK_EQ(account("account [success=2 default=ignore] pam_x.so\naccount requisite pam_deny.so\n"),
             "pam.account_shadowed");
    CHECK_EQ(account("auth sufficient pam_x.so\n"), ""); // another phase
    CHECK_EQ(account("account include common-account\n"), "pam.account_late");
    CHECK_EQ(account("account substack common-account\n"), "pam.account_late");
    CHECK_EQ(account("@include common-account\n"), "pam.account_late");
    CHECK_EQ(account("@include common-auth\n"), "");
    CHECK_EQ(account("@include common-session\n"), "pam.session_late");
    CHECK_EQ(account("# account sufficient pam_x.so\n"), "");
}

// The line of pandora-services.snippet is none that judges logins.
void the_line_of_services_is_not_the_gates() {
    DoctorPlace p;
    p.machine.put("/etc/pam.d/common-account",
                  "account requisite pam_pandora.so group=pandora services=cron,sshd\n");
    CHECK_EQ(p.ids(), "");
    p.machine.replace("/etc/pam.d/common-account", "cron,sshd", "xsshd,sshdx");
    CHECK_EQ(p.ids(), "pam.services");
    p.machine.replace("/etc/pam.d/common-account", "xsshd,sshdx", "sshd");
    p.machine.replace(k_pam, fmt::format("account {}\n", k_line), "");
    CHECK_EQ(p.ids(), "pam.account");
}

void who_may_write_where() {
    DoctorPlace p;
    p.machine.make("/var/spool/pandora/data_in", 02770, {0, 993}); // by its group
    p.machine.make("/var/spool/pandora/staging", 02770, {999, 993});
    CHECK_EQ(p.ids(), "");
    p.machine.make("/var/spool/pandora/data_in", 02750, {0, 993});
    CHECK_EQ(p.ids(), "spool.owner");
    p.machine.make("/var/spool/pandora/data_in", 02770, {0, 993});
    p.machine.make("/var/spool/pandora/data_in/md5", 0770, {0, 993});
    CHECK_EQ(p.ids(), "spool.subdirectories");
    p.machine.make("/var/spool/pandora/data_in/md5", 0750, {0, 993});
    p.machine.devices["/var/spool/pandora/staging"] = 4711;
    CHECK_EQ(p.ids(), "spool.volume");
}

// Who may write data_in chooses the names there.
void no_command_has_a_strangers_name_in_it() {
    DoctorPlace p;
    const std::string spool = "/var/spool/pandora/data_in";
    const auto fix_of = [&](const std::string& name) {
        p.machine.make(spool + '/' + name, 0755, {999, 33});
        const auto found = p.diagnosis().findings;
        std::filesystem::remove(p.machine.at(spool + '/' + name));
        CHECK_MSG(found.size() == 1 && found[0].id == "spool.subdirectories", name);
        return found[0].fix;
    };
    CHECK_EQ(fix_of("a-B_1.d"), "chown -h root " + spool + "/a-B_1.d; chmod go-w " + spool + "/a-B_1.d");
    for (const char* name :
         {"x;reboot", "$(reboot)", "a b", "`id`", "a|b", "a&b", "a>b", "a*", "a\nb", "~'\""})
        CHECK_EQ(fix_of(name), "look at it: ls -la " + spool);
    // A link to a directory that the account may write is none of data_in's.
    p.machine.make("/srv/other", 0777);
    std::filesystem::create_symlink(p.machine.at("/srv/other"), p.machine.at(spool + "/link"));
    p.machine.owners[spool + "/link"] = {999, 33};
    CHECK_EQ(p.ids(), "");
}

// spool.directory may lie below /home.
void units_hide_no_spool() {
    for (const char* unit : {"sshd", "enrol"})
        CHECK(
            !contains(read_file(fmt::format("conf/systemd/pandora-gate-{}.service", unit)), "ProtectHome="));
}

void lines_that_bind_by_user_need_no_group() {
    DoctorPlace p;
    p.machine.put("/etc/group", "root:x:0:\ndaemon:x:1:\n");
    const auto lines = [&p](const char* account, const char* session) {
        const char* rest = "shell=" GATE_LIBEXECDIR "/drop";
        p.machine.put(k_pam, fmt::format("account requisite pam_pandora.so {1} {0}\n"
                                         "session requisite pam_pandora.so {2} {0} require_key\n",
                                         rest, account, session));
        return p.ids({"account.group"});
    };
    CHECK_EQ(lines("user=pandora", "user=pandora"), "");
    CHECK_EQ(lines("user=pandora", "group=pandora"), "account.group");
    CHECK_EQ(lines("user=pandora group=pandora", "user=pandora"), "account.group");
    CHECK_EQ(lines("", ""), "account.group");
    p.machine.put(k_pam, "");
    CHECK_EQ(p.ids({"account.group"}), "account.group");
}

void what_setup_leaves_writable_is_a_note() {
    DoctorPlace p;
    const auto severity = [&p](mode_t mode, Owner owner) -> std::string {
        p.machine.make("/var/spool/pandora/data_in/md5", mode, owner);
        const auto found = p.diagnosis({"spool.subdirectories"}).findings;
        return found.size() == 1 ? doctor::word_of(found[0].severity) : "nothing";
    };
    CHECK_EQ(severity(0770, {0, 993}), "note"); // by its group
    CHECK_EQ(severity(0770, {0, 33}), "nothing");
    CHECK_EQ(severity(0755, {999, 993}), "warning");
    CHECK_EQ(severity(0777, {0, 33}), "warning");
    p.machine.put("/etc/init.d/tentacle_serverd", "");
    CHECK_EQ(severity(0755, {999, 993}), "note");
}

void one_of_the_parents_is_enough() {
    DoctorPlace p;
    p.machine.owners["/usr"] = {1000, 1000};
    const auto found = p.diagnosis().findings;
    CHECK_EQ(found.size(), 1U);
    CHECK_EQ(found[0].id, "helper.path");
    CHECK_EQ(found[0].evidence, "/usr belongs to uid 1000, not to root");
    CHECK_EQ(found[0].fix, "chown root /usr");
}

void a_password_is_what_can_be_typed() {
    DoctorPlace p;
    for (const char* locked : {"*", "!", "!!", "!$6$x$y", "!*"}) {
        p.machine.put("/etc/shadow", fmt::format("pandora:{}:20781::::::\n", locked));
        CHECK_EQ(p.ids(), "");
    }
    for (const char* open : {"", "$6$x$y", "x"}) {
        p.machine.put("/etc/shadow", fmt::format("pandora:{}:20781::::::\n", open));
        CHECK_EQ(p.ids(), "account.password");
    }
}

// By password only where AuthenticationMethods lets one in without a key.
void which_ways_a_password_has() {
    DoctorPlace p;
    for (const auto& [methods, wrong] : {std::pair{"publickey", false},
                                         {"publickey,keyboard-interactive", false},
                                         {"publickey password", false}, // which is off
                                         {"publickey keyboard-interactive:pam", true},
                                         {"any", true}}) {
        p.machine.put(k_drop_in, read_file("conf/sshd_config.d/00-pandora-gate.conf"));
        p.machine.replace(k_drop_in, "    KbdInteractiveAuthentication no",
                          "    KbdInteractiveAuthentication yes");
        p.machine.replace(k_drop_in, "AuthenticationMethods publickey",
                          fmt::format("AuthenticationMethods {}", methods));
        CHECK_EQ(p.ids(), wrong ? "sshd.password" : "");
    }
    p.machine.put(k_pam, fmt::format("auth {0} enrol\naccount {0}\nsession {0} require_key enrol\n", k_line));
    p.machine.put("/run/pandora-gate/enrol.sock", "");
    p.machine.make("/run/pandora-gate/tickets", 0700);
    CHECK_EQ(p.ids(), "");
}

void the_lines_of_enrolment_fit() {
    DoctorPlace p;
    p.machine.put("/run/pandora-gate/enrol.sock", "");
    p.machine.make("/run/pandora-gate/tickets", 0700);
    const auto lines = [&p](const char* before, const char* session) {
        p.machine.put(
            k_pam,
            fmt::format("{1}auth {0} enrol\n@include common-auth\naccount {0}\nsession {0} require_key{2}\n",
                        k_line, before, session));
        return p.ids();
    };
    CHECK_EQ(lines("", " enrol"), "");
    CHECK_EQ(lines("auth required pam_faildelay.so\n", " enrol"), "");
    CHECK_EQ(lines("@include common-auth\n", " enrol"), "pam.enrol");
    CHECK_EQ(lines("", ""), "pam.enrol");
    std::filesystem::remove(p.machine.at("/run/pandora-gate/enrol.sock"));
    CHECK_EQ(lines("", " enrol"), "enrol.socket");
}

void times_of_log_lines() {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    const auto at = [](std::string_view line) { return doctor::time_of_line(line, k_noon).value_or(-1); };
    CHECK_EQ(at("Nov 24 11:00:00 host sshd[1]: x"), k_noon - 3600);
    CHECK_EQ(at("Nov  4 12:00:00 host sshd[1]: x"), k_noon - 20 * 86'400);
    CHECK_EQ(at("Dec 31 12:00:00 host sshd[1]: x"), k_noon - 328 * 86'400); // of last year
    CHECK_EQ(at("2026-11-24T11:00:00.5+01:00 host sshd[1]: x"), k_noon - 7200);
    CHECK_EQ(at("2026-11-24T11:00:00Z host sshd[1]: x"), k_noon - 3600);
    CHECK_EQ(at("nonsense"), -1);
    CHECK_EQ(at(""), -1);
}

void clients_that_found_no_algorithm() {
    DoctorPlace p;
    const auto log = [&p](std::string_view line) {
        p.machine.put("/var/log/auth.log", fmt::format("{}\n", line));
        return p.ids();
    };
    const char* message =
        "Unable to negotiate with 192.0.2.9 port 1: no matching key exchange method found. Their offer: x";
    CHECK_EQ(log(fmt::format("Nov 24 11:00:00 h sshd[1]: {}", message)), "fleet.key_exchange");
    CHECK_EQ(log(fmt::format("Nov 23 11:00:00 h sshd[1]: {}", message)), ""); // over a day ago
    CHECK_EQ(log(fmt::format("Nov 24 11:00:00 h su[1]: {}", message)), "");
    CHECK_EQ(log(fmt::format("Nov 24 11:00:00 h sshd[1]: Invalid user sshd[2]: {}", message)), ""); // a name
    CHECK_EQ(log(fmt::format("Nov 24 11:00:00 h su[1]: no user sshd[2]: {}", message)), "");
    CHECK_EQ(log(fmt::format("Nov 24 11:00:00 h sshd-session[1]: {}", message)), "fleet.key_exchange");
}

void with_the_journal_only_there_are_notes() {
    DoctorPlace p;
    std::filesystem::remove(p.machine.at("/etc/rsyslog.d/pandora-gate.conf"));
    CHECK_EQ(p.ids(), "log.rule");
    CHECK(p.diagnosis().findings[0].severity == doctor::Severity::warning);
    std::filesystem::remove(p.machine.at("/usr/sbin/rsyslogd"));
    std::filesystem::remove(p.machine.at("/var/log/pandora-gate/audit.jsonl"));
    CHECK_EQ(p.ids(), "log.rule fleet.mismatch fleet.key_exchange");
    for (const doctor::Finding& finding : p.diagnosis().findings)
        CHECK(finding.severity == doctor::Severity::note);
    p.machine.put("/var/log/secure", ""); // of another program
    CHECK_EQ(p.ids(), "log.rule fleet.mismatch");
}

void agents_that_are_somebody_else() {
    DoctorPlace p;
    const auto audit = [&p](const char* event, const char* reason, const char* time) {
        p.machine.put(
            "/var/log/pandora-gate/audit.jsonl",
            fmt::format(
                "garbage \"agent.\n{{\"event\":\"{}\",\"time\":\"{}\",\"key\":\"web\",\"file\":\"db.1.data\","
                "\"reason\":\"{}\"}}\n",
                event, time, reason));
        return p.ids();
    };
    CHECK_EQ(audit("agent.mismatch", "agent.mismatch", "2026-11-24T06:00:00.000Z"), "fleet.mismatch");
    CHECK_EQ(audit("drop.refused", "agent.name", "2026-11-24T06:00:00.000Z"), "fleet.mismatch");
    CHECK_EQ(audit("drop.refused", "agent.unbound", "2026-11-24T06:00:00.000Z"), "");
    CHECK_EQ(audit("agent.mismatch", "agent.mismatch", "2026-11-23T06:00:00.000Z"), "");
}

// setup wants to be told the port again.
void commands_fit_the_machine() {
    DoctorPlace p;
    const auto fix = [&p](const char* id) {
        const auto found = p.diagnosis({id}).findings;
        return found.empty() ? std::string() : found[0].fix;
    };
    std::filesystem::remove(p.machine.at("/usr/sbin/sshd"));
    CHECK_EQ(fix("sshd.missing"), "apt-get install openssh-server");
    std::filesystem::remove(p.machine.at("/etc/pam.d/common-account"));
    p.machine.put("/etc/pam.d/password-auth", "");
    CHECK_EQ(fix("sshd.missing"), "dnf install openssh-server");
    p.machine.put("/usr/sbin/sshd", "", 0755);
    p.machine.replace(k_drop_in, "    PermitTTY no", "    PermitTTY yes");
    CHECK(fix("sshd.tty").ends_with("then systemctl reload sshd"));
    p.machine.put(doctor::k_own_config, "Port 4711\n" + read_file("conf/sshd_config.d/00-pandora-gate.conf"));
    CHECK_EQ(fix("gate.unit"), "pandora-gate setup ssh --own-port 4711 --apply");
    p.machine.put(doctor::k_own_config, "KexAlgorithms +a\n" + read_file(p.machine.at(doctor::k_own_config)));
    CHECK_EQ(fix("gate.unit"), "pandora-gate setup ssh --own-port 4711 --legacy-clients --apply");
    p.machine.put("/etc/pam.d/pandora-sshd", "account required pam_permit.so\n");
    CHECK_EQ(fix("gate.unit"),
             "pandora-gate setup ssh --own-port 4711 --legacy-clients --no-enrolment --apply");
}

void only_what_was_asked_for() {
    DoctorPlace p;
    p.machine.replace(k_drop_in, "    PermitTTY no", "    PermitTTY yes");
    p.machine.put("/etc/shells", GATE_LIBEXECDIR "/drop\n");
    CHECK_EQ(p.ids(), "account.shells_file sshd.tty");
    CHECK_EQ(p.ids({"sshd.tty"}), "sshd.tty");
    CHECK_EQ(p.diagnosis({"sshd.tty"}).looked, 1U);
    refused(ctl::Status::usage, "there is no check \"nonsense\"",
            [&p] { static_cast<void>(ctl::doctor_command(p.context, {.only = {"nonsense"}}, p.machine)); });
    std::filesystem::remove(p.machine.at(k_drop_in));
    CHECK_EQ(p.ids({"sshd.tty"}), ""); // but it was left out
    CHECK_EQ(p.diagnosis({"sshd.tty"}).skipped.size(), 1U);
}

void the_worst_is_the_exit_status() {
    DoctorPlace p;
    const auto status = [&p] {
        static_cast<void>(ctl::doctor_command(p.context, {}, p.machine));
        return p.context.exit_status;
    };
    CHECK_EQ(status(), 0);
    std::filesystem::remove(p.context.keyring + ".previous"); // a note
    CHECK_EQ(status(), 0);
    p.machine.put("/etc/ssh/sshrc", ""); // a warning
    CHECK_EQ(status(), 1);
    p.machine.replace(k_drop_in, "    ExposeAuthInfo yes", "    ExposeAuthInfo no"); // an error
    CHECK_EQ(status(), 2);
}

void what_people_read() {
    DoctorPlace p;
    p.machine.put("/etc/ssh/sshrc", "");
    p.machine.put("/etc/shells", "/bin/sh\n" GATE_LIBEXECDIR "/drop\n");
    CHECK_EQ(ctl::doctor_command(p.context, {}, p.machine),
             "error: account.shells_file\n"
             "  seen /etc/shells:2 lists /usr/libexec/pandora-gate/drop\n"
             "  why  With it, `su -s` gives whoever may become the account any other shell.\n"
             "  fix  sed -i '2d' /etc/shells\n"
             "\n"
             "warning: sshd.sshrc\n"
             "  seen /etc/ssh/sshrc is there\n"
             "  why  sshd runs it at each login, before the forced command.\n"
             "  fix  mv /etc/ssh/sshrc /root/, unless you know that it may run for agents\n"
             "\n"
             "1 error, 1 warning, 0 notes (" +
                 std::to_string(doctor::all_checks().size()) + " checks made)\n");
    CHECK_EQ(ctl::doctor_command(p.context, {.quiet = true}, p.machine),
             "error: account.shells_file: /etc/shells:2 lists /usr/libexec/pandora-gate/drop\n"
             "warning: sshd.sshrc: /etc/ssh/sshrc is there\n");
}

// A column of the list fits, an id is used once, what a check needs comes before it, and the manual has each.
void the_table_is_sound() {
    const std::string manual = read_file("doc/man/pandora-gate.8");
    std::string before = " ";
    for (const doctor::Check* check : doctor::all_checks()) {
        const std::string id(check->id);
        CHECK_MSG(!contains(before, " " + id + " "), id + " is there twice");
        for (const std::string& need : doctor::words_of(check->needs))
            CHECK_MSG(contains(before, " " + need + " "),
                      id + " needs " + need + ", which does not come before it");
        before += id + " ";
        CHECK_MSG(contains(manual, fmt::format("\n.It {} Pq {}\n", id, doctor::word_of(check->severity))),
                  id + " is not in the manual");
        CHECK_MSG(check->why.ends_with('.') && !check->what.empty(), id);
    }
    const std::string list = doctor::list_text();
    for (std::string_view rest = list; !rest.empty(); rest.remove_prefix(rest.find('\n') + 1))
        CHECK_MSG(rest.find('\n') <= 80, std::string(rest.substr(0, rest.find('\n'))));
}

} // namespace

int main() {
    ::umask(022);
    const CMUnitTest tests[] = {
        GATE_TEST(a_good_machine_has_nothing),
        GATE_TEST(keywords_in_mixed_case_are_the_same),
        GATE_TEST(nothing_is_set_up),
        GATE_TEST(a_gate_of_its_own),
        GATE_TEST(a_token_is_known_by_the_version),
        GATE_TEST(the_line_that_wins_is_named),
        GATE_TEST(a_list_that_is_added_to_is_not_overridden),
        GATE_TEST(what_sshd_says_of_a_bad_line_is_the_evidence),
        GATE_TEST(what_stands_before_a_pam_line),
        GATE_TEST(the_line_of_services_is_not_the_gates),
        GATE_TEST(who_may_write_where),
        GATE_TEST(what_setup_leaves_writable_is_a_note),
        GATE_TEST(lines_that_bind_by_user_need_no_group),
        GATE_TEST(units_hide_no_spool),
        GATE_TEST(no_command_has_a_strangers_name_in_it),
        GATE_TEST(one_of_the_parents_is_enough),
        GATE_TEST(a_password_is_what_can_be_typed),
        GATE_TEST(which_ways_a_password_has),
        GATE_TEST(the_lines_of_enrolment_fit),
        GATE_TEST(times_of_log_lines),
        GATE_TEST(clients_that_found_no_algorithm),
        GATE_TEST(with_the_journal_only_there_are_notes),
        GATE_TEST(agents_that_are_somebody_else),
        GATE_TEST(commands_fit_the_machine),
        GATE_TEST(only_what_was_asked_for),
        GATE_TEST(the_worst_is_the_exit_status),
        GATE_TEST(what_people_read),
        GATE_TEST(the_table_is_sound),
    };
    return cmocka_run_group_tests_name("ctl_doctor", tests, nullptr, nullptr);
}
