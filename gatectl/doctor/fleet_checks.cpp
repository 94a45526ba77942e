// What happened lately: packets that wait, agents that are somebody else, clients that found no common key
// exchange; and whether it would be known.
#include "gatectl/doctor/logs.h"
#include "gatectl/doctor/mend.h"
#include "gatectl/doctor/table.h"

#include "gatectl/pause/commands.h"
#include "gatectl/problem.h"
#include "gatectl/quarantine/shelf.h"
#include "lib/base/text.h"

#include <algorithm>
#include <fmt/format.h>

namespace gate::ctl::doctor {

namespace {

constexpr const char* k_audit = "/var/log/pandora-gate/audit.jsonl";
constexpr std::int64_t k_day = 24 * 3600;

void no_logger(const Facts& f, Report& report) {
    if (!f.machine.takes_datagrams("/dev/log"))
        report.add("nobody answers at /dev/log", "systemctl restart rsyslog systemd-journald");
}

// Without it, and no other that writes these files, there is only the journal.
[[nodiscard]] bool has_rsyslog(const Facts& f) {
    return f.machine.exists("/usr/sbin/rsyslogd");
}

void no_rule(const Facts& f, Report& report) {
    if (!has_rsyslog(f))
        return report.note("no rsyslogd is installed: the trail is in the journal only",
                           "install rsyslog, where the trail has to outlive the journal");
    for (const std::string& file : f.machine.glob("/etc/rsyslog.d/*.conf"))
        if (f.machine.read(file).value_or("").find("/pandora-gate/audit.jsonl") != std::string::npos)
            return;
    report.add(
        "no file of /etc/rsyslog.d writes audit.jsonl",
        "cp /usr/share/pandora-gate/rsyslog.d/pandora-gate.conf /etc/rsyslog.d/; systemctl restart rsyslog");
}

void no_audit(const Facts& f, Report& report) {
    if (f.keyring.state == Present::State::good && !f.machine.exists(k_audit))
        report.add(fmt::format("there is no {}", k_audit),
                   "systemctl restart rsyslog, then pandora-gate publish");
}

void paused(const Facts& f, Report& report) {
    try {
        Context context;
        context.keyring = f.context.keyring;
        context.owner = f.context.owner;
        const std::string text = pause_status(context, false);
        if (text.find("not paused") == std::string::npos)
            report.add(text.substr(0, text.find('\n')), "pandora-gate resume");
    } catch (const Problem& problem) {
        report.add(problem.what(), "pandora-gate publish");
    }
}

void waiting(const Facts& f, Report& report) {
    try {
        const auto shelf = Shelf::open(f.machine.at(f.policy.spool_quarantine));
        if (!shelf)
            return;
        std::vector<std::string> ids;
        for (const ShelfEntry& entry : shelf->packets())
            ids.push_back(entry.id);
        if (!ids.empty())
            report.add(fmt::format("{} packet(s) wait: {}", ids.size(), some_of(ids)),
                       "pandora-gate quarantine list");
    } catch (const Problem& problem) {
        report.add(problem.what(), "pandora-gate publish");
    }
}

void mismatch(const Facts& f, Report& report) {
    if (!has_rsyslog(f) && !f.machine.exists(k_audit))
        return report.note(fmt::format("there is no {} to look at", k_audit),
                           "journalctl --since -1d --grep agent.mismatch");
    const auto seen = mismatches(f.machine, k_audit, f.now - k_day);
    if (!seen.empty())
        report.add(fmt::format("within 24 h, by {}: {}", k_audit, some_of(seen)),
                   "pandora-gate keys bind KEY --agent NAME, if it may send for that agent");
}

void key_exchange(const Facts& f, Report& report) {
    if (!has_rsyslog(f) && !f.machine.exists("/var/log/auth.log") && !f.machine.exists("/var/log/secure"))
        return report.note("there is neither /var/log/auth.log nor /var/log/secure to look at",
                           "journalctl --since -1d --grep 'Unable to negotiate'");
    std::vector<std::string> seen;
    for (const char* file : {"/var/log/auth.log", "/var/log/secure"})
        for (std::string& one : failed_key_exchanges(f.machine, file, f.now - k_day))
            seen.push_back(std::move(one));
    if (!seen.empty())
        report.add(fmt::format("within 24 h: {}", some_of(seen)),
                   setup_ssh(f, f.sshd.form == Form::own_gate ? "--legacy-clients"
                                                              : "--own-port 2222 --legacy-clients") +
                       ", if these are agents");
}

constexpr Check k_checks[] = {
    {"log.socket", Severity::error, "nobody listens at /dev/log",
     "The audit trail is lost; with audit.mode = required nothing is delivered.", "sshd.not_set_up",
     no_logger},
    {"log.rule", Severity::warning, "rsyslog does not write audit.jsonl",
     "The trail is only in the journal, if anywhere, and does not outlive it.", "sshd.not_set_up log.socket",
     no_rule},
    {"log.audit", Severity::warning, "there is no audit.jsonl",
     "Events go nowhere, though there is a rule for them.",
     "sshd.not_set_up log.socket log.rule keyring.missing keyring.damaged", no_audit},
    {"fleet.paused", Severity::note, "deliveries are paused",
     "Agents keep their packets until they are resumed.", "sshd.not_set_up keyring.missing", paused},
    {"fleet.quarantine", Severity::warning, "packets wait in the quarantine",
     "Their agents were told success: only a human brings them on their way.", "sshd.not_set_up", waiting},
    {"fleet.mismatch", Severity::warning, "agents that their key is not for",
     "A renamed agent, or one that speaks for another.", "sshd.not_set_up fleet.quarantine", mismatch},
    {"fleet.key_exchange", Severity::warning, "clients without a common algorithm",
     "Old clients (AIX, ESX) cannot reach this sshd at all, and have no packet delivered.", "sshd.not_set_up",
     key_exchange},
};

} // namespace

std::span<const Check> fleet_checks() {
    return k_checks;
}

} // namespace gate::ctl::doctor
