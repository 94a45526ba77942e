// A gate of its own (`setup ssh --own-port`), and enrolment.
#include "gatectl/doctor/mend.h"
#include "gatectl/doctor/sshd_look.h"
#include "gatectl/doctor/table.h"

#include "lib/base/text.h"
#include "lib/enrol/message.h"
#include "lib/enrol/ticket.h"

#include <fmt/format.h>

namespace gate::ctl::doctor {

namespace {

constexpr const char* k_unit = "/etc/systemd/system/pandora-gate-sshd.service";
constexpr const char* k_pid = "/run/pandora-gate/sshd.pid";
constexpr const char* k_link = GATE_LIBEXECDIR "/pandora-sshd";
constexpr const char* k_service = "pandora-sshd";

[[nodiscard]] bool is_own(const Facts& f) {
    return f.sshd.form == Form::own_gate;
}

void admin_port(const Facts& f, Report& report) {
    if (is_own(f) && !f.sshd.main.effective.empty() && denial(f, f.sshd.main).empty())
        report.add(fmt::format("sshd -T -C user={0}: no DenyUsers names {0}", f.user()), setup_ssh(f));
}

void no_unit(const Facts& f, Report& report) {
    if (is_own(f) && !f.machine.exists(k_unit))
        report.add(fmt::format("there is {}, but no {}", k_own_config, k_unit), setup_ssh(f));
}

void is_down(const Facts& f, Report& report) {
    if (!is_own(f))
        return;
    const std::string text = f.machine.read(k_pid).value_or("");
    const auto pid = parse_u64(std::string_view(text).substr(0, text.find('\n')));
    if (!pid || !f.machine.runs(static_cast<pid_t>(*pid)))
        report.add(pid ? fmt::format("{} names process {}, which is not there", k_pid, *pid)
                       : fmt::format("there is no {}", k_pid),
                   "systemctl enable --now pandora-gate-sshd");
}

// sshd calls PAM by the name of its program; from 9.8 on it can be told another.
void pam_service(const Facts& f, Report& report) {
    if (!is_own(f))
        return;
    const std::string named = f.sshd.gate.value("pamservicename");
    if (!named.empty() && named != k_service)
        return report.add(
            fmt::format("PAMServiceName is {}", escape_visible(named)),
            fmt::format("put `PAMServiceName {}` into {}, then systemctl reload pandora-gate-sshd", k_service,
                        k_own_config));
    const std::string unit = f.machine.read(k_unit).value_or("");
    if (named.empty() && (!f.machine.exists(k_link) || unit.find(k_link) == std::string::npos))
        report.add(
            fmt::format("OpenSSH {}.{} calls PAM by its program's name, and {} does not start it as {}",
                        f.sshd.major, f.sshd.minor, k_unit, k_link),
            setup_ssh(f));
}

void socket(const Facts& f, Report& report) {
    if (f.pam.enrols() && !f.machine.exists(enrol::k_socket))
        report.add(fmt::format("there is no {}", enrol::k_socket),
                   "systemctl enable --now pandora-gate-enrol");
}

void tickets(const Facts& f, Report& report) {
    const auto st = f.machine.stat(enrol::k_tickets);
    if (f.pam.enrols() && (!st || st->st_uid != 0 || (st->st_mode & 077U) != 0))
        report.add(st ? fmt::format("{} belongs to uid {} with mode {:04o}", enrol::k_tickets, st->st_uid,
                                    st->st_mode & 07777U)
                      : fmt::format("there is no {}", enrol::k_tickets),
                   "systemd-tmpfiles --create /usr/lib/tmpfiles.d/pandora-gate.conf");
}

constexpr std::int64_t k_long_window = 24 * 3600; // a day's work of enrolling a fleet

void window(const Facts& f, Report& report) {
    if (f.store.window_until - f.store.window_from > k_long_window)
        report.add(fmt::format("enrolment by the account's password is on from {} until {}",
                               time_text(f.store.window_from), time_text(f.store.window_until)),
                   "pandora-gate enrol off, or pandora-gate enrol on --for 2h");
}

void pending(const Facts& f, Report& report) {
    if (!f.store.pending.empty())
        report.add(fmt::format("{} key(s) wait: {}", f.store.pending.size(), some_of(f.store.pending)),
                   "pandora-gate keys pending, then keys approve ID --agent NAME, or keys reject ID");
}

constexpr Check k_checks[] = {
    {"gate.admin_port", Severity::error, "the administrators' sshd lets it in",
     "Keys of agents meet the rules of that sshd there, not the gate's.", k_needs_sshd, admin_port},
    {"gate.unit", Severity::error, "the gate's sshd has no unit", "It does not start with the machine.",
     "sshd.not_set_up", no_unit},
    {"gate.pam_service", Severity::error, "the gate's sshd uses another PAM file",
     "The rules of /etc/pam.d/pandora-sshd are not asked.",
     "sshd.not_set_up sshd.missing sshd.config gate.unit", pam_service},
    {"gate.down", Severity::error, "the gate's sshd does not run", "No agent can log in.",
     "sshd.not_set_up sshd.missing sshd.config gate.unit", is_down},
    {"enrol.socket", Severity::error, "the enrolment service does not run",
     "Codes and passwords log in, and no key is taken.", "sshd.not_set_up", socket},
    {"enrol.tickets", Severity::error, "no directory for tickets",
     "What a login may enrol is written there: without it, none is let in to enrol.", "sshd.not_set_up",
     tickets},
    {"enrol.window", Severity::warning, "enrolment is on for over a day",
     "Whoever has the account's password can hand over keys, and has all that time to.",
     "sshd.not_set_up store.missing store.unusable", window},
    {"enrol.pending", Severity::warning, "keys wait to be approved",
     "Their agents cannot deliver before somebody looks.", "sshd.not_set_up store.missing store.unusable",
     pending},
};

} // namespace

std::span<const Check> gate_checks() {
    return k_checks;
}

} // namespace gate::ctl::doctor
