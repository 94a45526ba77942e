// What a login could do beside delivering, each by its own keyword; how many may come at once; and what lies
// about on the machine that sshd reads or leaves.
#include "gatectl/doctor/mend.h"
#include "gatectl/doctor/sshd_look.h"
#include "gatectl/doctor/table.h"

#include "lib/base/text.h"

#include <algorithm>
#include <fmt/format.h>

namespace gate::ctl::doctor {

namespace {

constexpr std::int64_t k_old = 3600; // seconds: no session of the gate lasts as long

struct Option {
    const char* spelled;
    const char* wanted;
};
constexpr Option k_options[] = {
    {"DisableForwarding", "yes"}, {"AllowAgentForwarding", "no"},
    {"AllowTcpForwarding", "no"}, {"AllowStreamLocalForwarding", "no"},
    {"X11Forwarding", "no"},      {"PermitTunnel", "no"},
    {"GatewayPorts", "no"},       {"PermitTTY", "no"},
    {"PermitUserRC", "no"},       {"PermitUserEnvironment", "no"},
};

template<std::size_t Which>
void option(const Facts& f, Report& report) {
    const Option& one = k_options[Which];
    const std::string keyword = lower(one.spelled), value = f.sshd.gate.value(keyword);
    if (has_sshd(f) && !value.empty() && !same_value(value, one.wanted) && !is_overridden(f, keyword))
        report.add(said(f, one.spelled), put(f, fmt::format("{} {}", one.spelled, one.wanted)));
}

// "begin:rate:full".
void max_startups(const Facts& f, Report& report) {
    const std::string value = f.sshd.gate.value("maxstartups");
    const auto begin = parse_u64(std::string_view(value).substr(0, value.find(':')));
    if (!has_sshd(f) || !begin || *begin >= f.store.fleet)
        return;
    const std::size_t fleet = f.store.fleet;
    report.add(fmt::format("{}; {} keys are good", said(f, "MaxStartups"), fleet),
               f.sshd.form == Form::own_gate
                   ? setup_ssh(f, fmt::format("--agents {}", fleet))
                   : fmt::format("put `MaxStartups {}:30:{}` into {}, then systemctl reload {}", fleet,
                                 2 * fleet, gate_file(f), gate_unit(f)));
}

void per_source(const Facts& f, Report& report) {
    const std::string value = f.sshd.gate.value("persourcemaxstartups");
    if (has_sshd(f) && !value.empty() && !same_value(value, "none"))
        report.add(said(f, "PerSourceMaxStartups"),
                   fmt::format("take that line away, then systemctl reload {}", gate_unit(f)));
}

void penalties(const Facts& f, Report& report) {
    const std::string value = lower(f.sshd.gate.value("persourcepenalties"));
    const std::string exempt = lower(f.sshd.gate.value("persourcepenaltyexemptlist"));
    if (has_sshd(f) && !value.empty() && value != "no" && (exempt.empty() || exempt == "none"))
        report.add(
            "PerSourcePenalties is on, and PerSourcePenaltyExemptList names nobody",
            "put `PerSourcePenaltyExemptList ADDRESS` for each shared address into the main configuration");
}

void sshrc(const Facts& f, Report& report) {
    if (has_sshd(f) && f.machine.exists("/etc/ssh/sshrc"))
        report.add("/etc/ssh/sshrc is there",
                   "mv /etc/ssh/sshrc /root/, unless you know that it may run for agents");
}

void tmp(const Facts& f, Report& report) {
    const auto st = f.machine.stat("/tmp");
    if (has_sshd(f) && (!st || !S_ISDIR(st->st_mode) || !may(*f.account, *st, 3)))
        report.add(fmt::format("{} cannot make a file in /tmp", f.user()), "chmod 1777 /tmp");
}

void left_over(const Facts& f, Report& report) {
    std::vector<std::string> old;
    for (const std::string& path : f.machine.glob("/tmp/sshauth.*"))
        if (const auto st = f.machine.stat(path); st && st->st_mtim.tv_sec + k_old < f.now)
            old.push_back(path);
    if (has_sshd(f) && !old.empty())
        report.add(
            fmt::format("old files of sessions that were killed: {}", some_of(old)),
            "rm /tmp/sshauth.*, while nobody logs in; tmpfiles.d does it at each start of the machine");
}

constexpr const char* k_names_why = "DisableForwarding did not cover all of them before OpenSSH 10.0.";
constexpr const char* k_forward_why = "Whoever has an agent's key reaches hosts and sockets behind this one.";

constexpr Check k_checks[] = {
    {"sshd.disable_forwarding", Severity::warning, "DisableForwarding is no",
     "It also covers what later versions of sshd bring.", k_needs_sshd, option<0>},
    {"sshd.agent_forwarding", Severity::error, "AllowAgentForwarding is yes", k_names_why, k_needs_sshd,
     option<1>},
    {"sshd.tcp_forwarding", Severity::error, "AllowTcpForwarding is on", k_forward_why, k_needs_sshd,
     option<2>},
    {"sshd.stream_forwarding", Severity::error, "AllowStreamLocalForwarding is on", k_forward_why,
     k_needs_sshd, option<3>},
    {"sshd.x11_forwarding", Severity::error, "X11Forwarding is yes", k_names_why, k_needs_sshd, option<4>},
    {"sshd.tunnel", Severity::error, "PermitTunnel is on", k_forward_why, k_needs_sshd, option<5>},
    {"sshd.gateway_ports", Severity::warning, "GatewayPorts is on",
     "A forwarded port would be open to the whole network.", k_needs_sshd, option<6>},
    {"sshd.tty", Severity::warning, "PermitTTY is yes",
     "An agent needs no terminal; each one is a file of the kernel's.", k_needs_sshd, option<7>},
    {"sshd.user_rc", Severity::error, "PermitUserRC is yes",
     "sshd runs ~/.ssh/rc, whoever has written it, where no command is forced.", k_needs_sshd, option<8>},
    {"sshd.user_environment", Severity::error, "PermitUserEnvironment is on",
     "~/.ssh/environment can make drop load what is no part of it.", k_needs_sshd, option<9>},
    {"sshd.max_startups", Severity::warning, "MaxStartups is too small for the fleet",
     "Agents are on a clock: more of them come at once than sshd lets wait, and the rest is turned away.",
     k_needs_sshd, max_startups},
    {"sshd.per_source", Severity::warning, "PerSourceMaxStartups is set",
     "A site behind one address cannot deliver at once.", k_needs_sshd, per_source},
    {"sshd.penalties", Severity::note, "PerSourcePenalties without exemptions",
     "One agent with a wrong key shuts out everybody behind its address for a while.", k_needs_sshd,
     penalties},
    {"sshd.sshrc", Severity::warning, "/etc/ssh/sshrc is there",
     "sshd runs it at each login, before the forced command.", k_needs_sshd, sshrc},
    {"sshd.tmp", Severity::error, "the account cannot write /tmp",
     "sshd cannot tell drop which key logged in, and drop takes nothing.", k_needs_sshd, tmp},
    {"sshd.left_over", Severity::note, "old files of ExposeAuthInfo",
     "Sessions that are killed hard leave them, and nobody needs them.", k_needs_sshd, left_over},
};

} // namespace

std::span<const Check> option_checks() {
    return k_checks;
}

} // namespace gate::ctl::doctor
