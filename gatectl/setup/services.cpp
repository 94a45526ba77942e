#include "gatectl/setup/services.h"

#include "gatectl/problem.h"
#include "gatectl/setup/sshd.h"
#include "lib/base/text.h"

#include <algorithm>

namespace gate::ctl::setup {

namespace {

constexpr const char* k_units = "/etc/systemd/system/";
constexpr std::size_t k_shown = 400; // bytes of what systemctl says

struct Unit {
    const char* name;
    std::vector<std::string> files; // that it reads when it starts
};

[[nodiscard]] const std::vector<Unit>& units() {
    static const std::vector<Unit> all = {
        {k_own_unit, {k_own_config, k_own_sshd, k_own_key}},
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

bool is_active(const Place& place, Runner& runner, const std::string& unit) {
    return place.exists(k_units + unit) &&
           runner.run({place.program("systemctl"), "is-active", "--quiet", unit}).status == 0;
}

void Services::systemctl(const Command& command) {
    Command argv = {place_.program("systemctl")};
    argv.insert(argv.end(), command.begin(), command.end());
    const Ran ran = runner_.run(argv);
    if (ran.status != 0)
        stop(Status::io, "{}: status {}: {}", words_of(argv), ran.status,
             escape_visible(ran.text.substr(0, ran.text.find_last_not_of('\n') + 1), k_shown));
}

std::string Services::try_all(const std::vector<Command>& commands) {
    std::string out;
    for (const Command& command : commands)
        try {
            systemctl(command);
        } catch (const Problem& problem) {
            out += (out.empty() ? "" : "; ") + std::string(problem.what());
        }
    return out;
}

void Services::before() {
    if (!machine_.systemd)
        return;
    const auto stops = services_before(steps_);
    auto concerned = services_after(steps_, machine_);
    concerned.insert(concerned.end(), stops.begin(), stops.end());
    for (const Command& command : concerned)
        if (const std::string unit = command.back();
            (command.front() == "stop" || command.front() == "restart") && is_active(place_, runner_, unit))
            ran_.insert(unit);
    for (const Command& command : stops) {
        stopped_.insert(command.back());
        systemctl(command);
    }
}

void Services::after(const std::function<void()>& own_answers) {
    if (!machine_.systemd)
        return;
    for (const Command& command : services_after(steps_, machine_)) {
        begun_.push_back(command);
        systemctl(command);
        if (command == Command{"restart", k_own_unit})
            own_answers();
    }
}

std::string Services::before_taking_back() {
    std::vector<Command> commands;
    for (const Command& command : begun_)
        if (command.front() == "restart" && !ran_.contains(command.back()))
            commands.push_back({"stop", command.back()});
    return try_all(commands);
}

std::string Services::after_taking_back() {
    std::vector<Command> commands;
    if (touches(steps_, k_units) && !(stopped_.empty() && begun_.empty()))
        commands.push_back({"daemon-reload"});
    for (const std::string& unit : stopped_)
        if (ran_.contains(unit))
            commands.push_back({"start", unit});
    // With the files of before. sshd last again.
    for (const Command& command : begun_)
        if (command.front() != "daemon-reload" &&
            (command.front() != "restart" || ran_.contains(command.back())))
            commands.push_back(command);
    return try_all(commands);
}

} // namespace gate::ctl::setup
