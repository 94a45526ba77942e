// The part "ssh": the drop-in form, or an sshd of the gate's own.
#include "gatectl/problem.h"
#include "gatectl/setup/pam.h"
#include "gatectl/setup/plan.h"
#include "lib/base/text.h"

namespace gate::ctl::setup {

namespace {

constexpr int k_has_include = 802;

void plan_services(Plan& plan, const char* services) {
    const Machine& machine = plan.machine;
    const std::vector<std::string> files =
        machine.debian() ? std::vector<std::string>{"/etc/pam.d/common-account"}
                         : std::vector<std::string>{"/etc/pam.d/system-auth", "/etc/pam.d/password-auth"};
    for (const std::string& file : files) {
        const PathState now = plan.place.look(file);
        if (now.kind == PathState::Kind::file)
            plan.file(file, with_services_line(now.content, machine, services)).merged = true;
        else if (now.kind == PathState::Kind::link)
            plan.remark(fmt::format("{} is authselect's: put the line of pandora-services.snippet into a "
                                    "profile of your own (pam_pandora(8)); until then su and cron let the "
                                    "account in",
                                    file));
    }
}

void plan_rsyslog(Plan& plan) {
    if (!plan.place.exists("/etc/rsyslog.d") || plan.place.program("rsyslogd").empty())
        return plan.remark("no rsyslog here: the audit is in the journal only (journalctl -t pandora-gate)");
    std::string text = plan.shipped("rsyslog.d/pandora-gate.conf");
    if (plan.machine.account() != "pandora")
        for (const std::string& after : {std::string(" for "), std::string(" user ")})
            for (std::size_t at = 0; (at = text.find(after + "pandora ", at)) != std::string::npos; ++at)
                text.replace(at + after.size(), 7, plan.machine.account());
    plan.file("/etc/rsyslog.d/pandora-gate.conf", std::move(text));
}

void plan_drop_in_place(Plan& plan, std::string text) {
    const std::string directory = "/etc/ssh/sshd_config.d";
    const auto main = plan.place.text(k_main_config);
    if (!main)
        stop(Status::no_input, "{} is missing: is sshd installed?", k_main_config);
    if (plan.machine.sshd_version != 0 && plan.machine.sshd_version < k_has_include)
        stop(Status::refused,
             "this sshd knows no Include (OpenSSH 8.2): put the block of {}sshd_config.d into {} by hand",
             k_share, k_main_config);
    if (!plan.place.exists(directory))
        plan.directory(directory, "root", "root", 0755);
    plan.file(k_drop_in, std::move(text));
    if (!reads_drop_in(*main))
        plan.file(k_main_config, with_include(*main)).merged = true;
}

// A file of no keys is a list that sshd can read; without one it refuses every key.
void plan_revoked(Plan& plan) {
    const std::string path = GATE_STATEDIR "/revoked_keys";
    if (!plan.place.exists(path))
        plan.file(path, "").data = true;
}

void plan_host_keys(Plan& plan) {
    const std::string keygen = plan.place.program("ssh-keygen");
    if (keygen.empty())
        stop(Status::no_input, "ssh-keygen is missing: install OpenSSH");
    for (const std::string type : {"ed25519", "ecdsa", "rsa"}) {
        const std::string path = k_own_key + type + "_key";
        if (plan.place.exists(path))
            continue;
        // Made beside setup's own state; both halves come from one run.
        const std::string scratch = GATE_STATEDIR "/setup/" + type;
        Step& key = plan.file(path, "", 0600);
        key.secret = true;
        key.make = [&plan, keygen, type, scratch] {
            Command argv = {keygen,         "-q", "-N", "",   "-C",
                            "pandora-gate", "-t", type, "-f", plan.place.real(scratch)};
            if (type == "rsa")
                argv.insert(argv.end(), {"-b", "3072"});
            const Ran ran = plan.runner.run(argv, "y\n");
            const auto text = plan.place.text(scratch);
            if (ran.status != 0 || !text)
                stop(Status::io, "{}: status {}: {}", words_of(argv), ran.status, escape_visible(ran.text));
            return *text;
        };
        plan.file(path + ".pub", "", 0644).make = [&plan, scratch] {
            return plan.place.text(scratch + ".pub").value_or("");
        };
    }
}

void plan_own(Plan& plan, const std::string& shipped) {
    const bool now_new = !plan.place.exists(k_own_config);
    const SshWishes& wishes = plan.request.ssh;
    plan_host_keys(plan);
    plan.file(k_own_config, own_config(shipped, plan.machine, wishes));
    plan.file("/etc/pam.d/pandora-sshd", own_service(plan.machine, wishes.enrolment));
    // An sshd before 9.8 takes the name of its program for that of its PAM service.
    plan.link(k_own_sshd, plan.machine.sshd);
    plan.unit("pandora-gate-sshd.service");
    plan_drop_in_place(plan, denial(plan.machine, wishes));
    plan_services(plan, "pandora-sshd,pandora-ftp");
    if (now_new)
        plan.remark(
            fmt::format("agents come to port {}: open it in the firewall{}", wishes.own_port,
                        plan.machine.debian()
                            ? ""
                            : fmt::format("; with SELinux also `semanage port -a -t ssh_port_t -p tcp {}`",
                                          wishes.own_port)));
}

void plan_login_lines(Plan& plan) {
    const PathState pam = plan.place.look("/etc/pam.d/sshd");
    if (pam.kind != PathState::Kind::file)
        stop(Status::refused, "/etc/pam.d/sshd is no plain file: put the lines of {}pam.d in by hand",
             k_share);
    plan.file("/etc/pam.d/sshd", with_login_lines(pam.content, plan.machine, plan.request.ssh.enrolment))
        .merged = true;
}

} // namespace

void plan_ssh(Plan& plan) {
    plan.part = "ssh";
    if (plan.machine.sshd.empty())
        stop(Status::no_input, "there is no sshd in /usr/sbin: install OpenSSH's server first");
    plan.demand_module();
    const std::string shipped = plan.shipped("sshd_config.d/00-pandora-gate.conf");
    plan_revoked(plan);
    if (plan.machine.debian() && !plan.place.exists("/run/sshd")) // sshd -t wants it
        plan.directory("/run/sshd", "root", "root", 0755).data = true;
    if (plan.request.ssh.own_port != 0) {
        plan_own(plan, shipped);
    } else {
        plan_login_lines(plan); // before sshd lets anybody come so far
        plan_services(plan, "sshd,pandora-ftp");
        plan_drop_in_place(plan, drop_in(shipped, plan.machine, plan.request.ssh));
    }
    if (plan.request.ssh.enrolment)
        plan.unit("pandora-gate-enrol.service");
    plan_rsyslog(plan);
}

} // namespace gate::ctl::setup
