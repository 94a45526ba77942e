// vsftpd as conf/vsftpd/vsftpd.conf has it, where ftp.enabled says that there is one.
#include "gatectl/doctor/table.h"

#include "lib/base/text.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace gate::ctl::doctor {

namespace {

constexpr const char* k_config = GATE_SYSCONFDIR "/vsftpd.conf";
constexpr const char* k_shipped = "/usr/share/pandora-gate/vsftpd/vsftpd.conf";

using Settings = std::map<std::string, std::string>; // of two lines the last counts

[[nodiscard]] Settings settings_of(const Facts& f) {
    Settings out;
    const std::string text = f.machine.read(k_config).value_or("");
    for (std::string_view rest = text; !rest.empty();) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        const std::size_t equals = line.find('=');
        if (!line.starts_with('#') && equals != line.npos)
            out[std::string(line.substr(0, equals))] = line.substr(equals + 1);
    }
    return out;
}

[[nodiscard]] bool is_yes(const Settings& settings, const char* name, bool by_default) {
    const auto found = settings.find(name);
    if (found == settings.end())
        return by_default;
    const std::string value = lower(found->second);
    return value == "yes" || value == "true" || value == "1";
}

// Finds what is not as it has to be. `by_default`: vsftpd's own.
void demand(const Facts& f, Report& report, const char* name, bool wanted, bool by_default) {
    if (f.policy.ftp_enabled && is_yes(settings_of(f), name, by_default) != wanted)
        report.add(fmt::format("{}: {} is {}", k_config, name, wanted ? "NO" : "YES"),
                   fmt::format("write {}={} there, then systemctl restart pandora-gate-ftp", name,
                               wanted ? "YES" : "NO"));
}

void no_config(const Facts& f, Report& report) {
    if (f.policy.ftp_enabled && !f.machine.exists(k_config))
        report.add(fmt::format("ftp.enabled is true, and there is no {}", k_config),
                   fmt::format("cp {} {}", k_shipped, k_config));
}

void anonymous(const Facts& f, Report& report) {
    demand(f, report, "anonymous_enable", false, true);
}

void guest(const Facts& f, Report& report) {
    demand(f, report, "guest_enable", true, false);
    demand(f, report, "virtual_use_local_privs", false, false);
    if (!f.policy.ftp_enabled)
        return;
    const Settings settings = settings_of(f);
    const auto name = settings.find("guest_username");
    const auto user = find_user(f.machine, name == settings.end() ? "ftp" : name->second);
    if (!user || user->uid != f.policy.ftp_uid)
        report.add(fmt::format("{}: guest_username is {}, which is not ftp.user of the policy", k_config,
                               name == settings.end() ? "not set" : escape_visible(name->second)),
                   "write guest_username=_pandora-ftp there, then systemctl restart pandora-gate-ftp");
}

void tls(const Facts& f, Report& report) {
    for (const char* name : {"ssl_enable", "force_local_logins_ssl", "force_anon_data_ssl"})
        demand(f, report, name, true, std::string_view(name).starts_with("force_local"));
}

void certificate(const Facts& f, Report& report) {
    const Settings settings = settings_of(f);
    const auto file = settings.find("rsa_cert_file");
    if (!f.policy.ftp_enabled || !is_yes(settings, "ssl_enable", false) || file == settings.end())
        return;
    const auto st = f.machine.stat(file->second);
    if (!st)
        report.add(fmt::format("{} names {}, which is not there", k_config, escape_visible(file->second)),
                   "make one as doc/ftp.md says");
    else if (st->st_uid != 0 || (st->st_mode & 077U) != 0)
        report.add(fmt::format("{} belongs to uid {} with mode {:04o}", escape_visible(file->second),
                               st->st_uid, st->st_mode & 07777U),
                   fmt::format("chown root {0}; chmod 600 {0}", escape_visible(file->second)));
}

void chroot(const Facts& f, Report& report) {
    demand(f, report, "chroot_local_user", true, false);
}

void reads(const Facts& f, Report& report) {
    if (!f.policy.ftp_enabled)
        return;
    demand(f, report, "anon_other_write_enable", false, false);
    demand(f, report, "anon_mkdir_write_enable", false, false);
    const Settings settings = settings_of(f);
    const auto allowed = settings.find("cmds_allowed");
    const std::string list = allowed == settings.end() ? std::string() : ',' + allowed->second + ',';
    for (const char* command : {"RETR", "LIST", "NLST", "MLSD", "DELE", "RNFR", "RNTO", "MKD", "RMD", "APPE",
                                "REST", "STOU", "SITE"})
        if (list.find(fmt::format(",{},", command)) != std::string::npos)
            report.add(
                fmt::format("{}: cmds_allowed has {}", k_config, command),
                fmt::format("take {} out of cmds_allowed, then systemctl restart pandora-gate-ftp", command));
    if (!list.empty())
        return;
    demand(f, report, "download_enable", false, true);
    demand(f, report, "dirlist_enable", false, true);
}

void pam_service(const Facts& f, Report& report) {
    if (!f.policy.ftp_enabled)
        return;
    const Settings settings = settings_of(f);
    const auto name = settings.find("pam_service_name");
    const std::string service = name == settings.end() ? "ftp" : name->second;
    const PamFacts pam = look_at_pam(f.machine, service);
    if (pam.gate_line("auth") == nullptr || pam.gate_line("account") == nullptr)
        report.add(
            fmt::format("{}: pam_service_name is {}, and /etc/pam.d/{} {}", k_config, escape_visible(service),
                        escape_visible(service),
                        pam.exists ? "does not name pam_pandora.so" : "is not there"),
            "cp /usr/share/pandora-gate/pam.d/pandora-ftp /etc/pam.d/; write pam_service_name=pandora-ftp");
}

void ports(const Facts& f, Report& report) {
    if (!f.policy.ftp_enabled)
        return;
    const Settings settings = settings_of(f);
    for (const char* name : {"pasv_min_port", "pasv_max_port"}) {
        const auto found = settings.find(name);
        if (found == settings.end() || parse_u64(found->second).value_or(0) == 0)
            return report.add(fmt::format("{}: {} is not set", k_config, name),
                              fmt::format("write {}={} there, and let them in by the firewall", name,
                                          std::string_view(name) == "pasv_min_port" ? "31000" : "31999"));
    }
}

// vsftpd's own sandbox knows system calls of 2012.
void seccomp(const Facts& f, Report& report) {
    if (f.policy.ftp_enabled && is_yes(settings_of(f), "seccomp_sandbox", false))
        report.add(fmt::format("{}: seccomp_sandbox is YES", k_config),
                   "write seccomp_sandbox=NO there, then systemctl restart pandora-gate-ftp");
}

// Members of the group who send by FTP only: with a shell they are users of the machine.
void user_shell(const Facts& f, Report& report) {
    if (!f.policy.ftp_enabled)
        return;
    const auto gid = find_gid(f.machine, f.policy.account_group);
    const std::string allowed = ',' + f.policy.account_shells + ',';
    const std::string text = f.machine.read("/etc/passwd").value_or("");
    for (std::string_view rest = text; gid && !rest.empty();) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        const auto user = find_user(f.machine, std::string(line.substr(0, line.find(':'))));
        const std::string uploads = user ? f.policy.ftp_directory + '/' + user->name : std::string();
        if (user && user->in(*gid) && f.machine.exists(uploads) &&
            allowed.find(',' + user->shell + ',') == std::string::npos)
            report.add(fmt::format("{} sends by FTP and has the login shell {}", escape_visible(user->name),
                                   escape_visible(user->shell)),
                       fmt::format("usermod -s /usr/sbin/nologin {}", escape_visible(user->name)));
    }
}

constexpr const char* k_needs = "ftp.config";

constexpr Check k_checks[] = {
    {"ftp.config", Severity::error, "no vsftpd.conf", "ftp.enabled is true, and nobody takes uploads.", "",
     no_config},
    {"ftp.anonymous", Severity::error, "anonymous FTP is on", "Anybody may upload, without a password.",
     k_needs, anonymous},
    {"ftp.guest", Severity::error, "uploads are not written as the guest",
     "Users write as themselves, with all their rights.", k_needs, guest},
    {"ftp.chroot", Severity::error, "users are not locked into their directory",
     "They see the machine's files.", k_needs, chroot},
    {"ftp.commands", Severity::error, "more than uploads is allowed",
     "What agents have sent can be read, replaced or removed.", k_needs, reads},
    {"ftp.tls", Severity::warning, "FTP without TLS", "Passwords and packets can be read on their way.",
     k_needs, tls},
    {"ftp.certificate", Severity::error, "the certificate is missing, or readable",
     "TLS needs it, and it is a secret.", k_needs, certificate},
    {"ftp.pam", Severity::error, "vsftpd asks another PAM service", "The rules of pam_pandora are not asked.",
     k_needs, pam_service},
    {"ftp.ports", Severity::warning, "no range of passive ports", "A firewall cannot let just those in.",
     k_needs, ports},
    {"ftp.seccomp", Severity::error, "seccomp_sandbox is on",
     "vsftpd 3.0.3 kills its own uploads with it on a kernel of today.", k_needs, seccomp},
    {"ftp.user_shell", Severity::warning, "an FTP user has a shell",
     "His FTP password then logs in elsewhere.", k_needs, user_shell},
};

} // namespace

std::span<const Check> ftp_checks() {
    return k_checks;
}

} // namespace gate::ctl::doctor
