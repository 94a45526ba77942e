#include "gatectl/setup/services.h"

#include "gatectl/problem.h"
#include "gatectl/setup/sshd.h"
#include "lib/base/text.h"

#include <algorithm>

namespace gate::ctl::setup {

namespace {

constexpr const char* k_units = "/etc/systemd/system/";

struct Unit {
    const char* name;
    std::vector<std::string> files; // that it reads when it starts
};

[[nodiscard]] const std::vector<Unit>& units() {
    static const std::vector<Unit> all = {
        {"pandora-gate-sshd.service", {k_own_config, k_own_sshd, k_own_key}},
        {"pandora-gate-enrol.service", {}},
        {"pandora-gate-ftp.service",
         {GATE_SYSCONFDIR "/vsftpd.conf", GATE_SYSCONFDIR "/vsftpd-openssl.cnf", GATE_SYSCONFDIR "/ftp.pem"}},
        {"pandora-gate-sweep.service", {}}};
    return all;
}

[[nodiscard]] bool touches(const std::vector<Step>& steps, const std::string& beginning) {
    return std::any_of(steps.begin(), steps.end(), [&](const Step& step) {
        return step.kind == Step::Kind::path && step.name.starts_with(beginning);
    });
}

[[nodiscard]] bool removes(const std::vector<Step>& steps, const std::string& path) {
    return std::any_of(steps.begin(), steps.end(), [&](const Step& step) {
        return step.kind == Step::Kind::path && step.name == path && step.to.kind == PathState::Kind::absent;
    });
}

} // namespace

std::vector<Command> services_before(const std::vector<Step>& steps) {
    std::vector<Command> out;
    for (const Unit& unit : units())
        if (removes(steps, std::string(k_units) + unit.name))
            out.push_back({"stop", unit.name});
    return out;
}

std::vector<Command> services_after(const std::vector<Step>& steps, const Machine& machine) {
    std::vector<Command> out;
    if (touches(steps, k_units))
        out.push_back({"daemon-reload"});
    if (touches(steps, "/etc/rsyslog.d/"))
        out.push_back({"try-restart", "rsyslog.service"});
    for (const Unit& unit : units()) {
        const std::string path = std::string(k_units) + unit.name;
        bool wanted = touches(steps, path);
        for (const std::string& file : unit.files)
            wanted = wanted || touches(steps, file);
        if (wanted && !removes(steps, path))
            out.push_back({"restart", unit.name});
    }
    // Last: who comes in from now on meets what is there already. "try": one that is off stays off.
    if (touches(steps, "/etc/ssh/"))
        out.push_back({"try-reload-or-restart", machine.ssh_unit()});
    return out;
}

void run_services(const Place& place, Runner& runner, const std::vector<Command>& commands) {
    for (const Command& command : commands) {
        Command argv = {place.program("systemctl")};
        argv.insert(argv.end(), command.begin(), command.end());
        const Ran ran = runner.run(argv);
        if (ran.status != 0)
            stop(Status::io, "{}: status {}: {}", words_of(argv), ran.status, escape_visible(ran.text, 400));
    }
}

} // namespace gate::ctl::setup
