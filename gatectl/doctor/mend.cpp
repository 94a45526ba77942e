#include "gatectl/doctor/mend.h"

#include "gatectl/doctor/sshd_look.h"
#include "lib/base/text.h"

#include <algorithm>
#include <fmt/format.h>

namespace gate::ctl::doctor {

namespace {

// As setup tells them apart.
[[nodiscard]] bool is_debian(const Facts& f) {
    return f.machine.exists("/etc/pam.d/common-account") || !f.machine.exists("/etc/pam.d/password-auth");
}

// Of sshd itself; where it refuses its configuration, of the file.
[[nodiscard]] std::uint64_t port_of(const Facts& f) {
    std::string said = f.sshd.gate.value("port");
    for (const ConfigLine& line : f.sshd.gate.lines)
        if (said.empty() && line.keyword == "port")
            said = line.value;
    return parse_u64(said).value_or(2222);
}

[[nodiscard]] bool has_old_algorithms(const Facts& f) {
    const auto& lines = f.sshd.gate.lines;
    return std::any_of(lines.begin(), lines.end(), [&f](const ConfigLine& line) {
        return line.file == gate_file(f) && line.keyword == "kexalgorithms" && line.value.starts_with('+');
    });
}

} // namespace

std::string setup_ssh(const Facts& f, std::string_view more) {
    std::string out = "pandora-gate setup ssh";
    if (f.sshd.form == Form::own_gate) {
        out += fmt::format(" --own-port {}", port_of(f));
        if (has_old_algorithms(f) && more.find("--legacy-clients") == more.npos)
            out += " --legacy-clients";
        if (f.pam.exists && !f.pam.enrols())
            out += " --no-enrolment";
    }
    return out + fmt::format("{}{} --apply", more.empty() ? "" : " ", more);
}

const char* gate_unit(const Facts& f) {
    return f.sshd.form == Form::own_gate ? "pandora-gate-sshd" : main_unit(f);
}

const char* main_unit(const Facts& f) {
    return is_debian(f) ? "ssh" : "sshd";
}

std::string install(const Facts& f, std::string_view package) {
    return fmt::format("{} install {}", is_debian(f) ? "apt-get" : "dnf", package);
}

std::string reinstall(const Facts& f, std::string_view package) {
    return fmt::format("{} {}", is_debian(f) ? "apt-get install --reinstall" : "dnf reinstall", package);
}

} // namespace gate::ctl::doctor
