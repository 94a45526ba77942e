// The lines of pam_pandora, and what stands before them. Of a login by key libpam reads two phases, account
// and session; both need their line.
#include "gatectl/doctor/mend.h"
#include "gatectl/doctor/table.h"

#include "lib/base/text.h"

#include <algorithm>
#include <fmt/format.h>

namespace gate::ctl::doctor {

namespace {

constexpr const char* k_snippet = "/usr/share/pandora-gate/pam.d/pandora-gate.snippet";

[[nodiscard]] bool has_pam(const Facts& f) {
    return f.sshd.form != Form::none && f.pam.exists;
}

[[nodiscard]] std::string service_file(const Facts& f) {
    return "/etc/pam.d/" + f.pam.service;
}

void no_service(const Facts& f, Report& report) {
    if (f.sshd.form != Form::none && !f.pam.exists)
        report.add(fmt::format("there is no {}", service_file(f)), setup_ssh(f));
}

void missing(const Facts& f, Report& report, const char* kind) {
    if (has_pam(f) && f.pam.gate_line(kind) == nullptr)
        report.add(fmt::format("no {} line of {} names pam_pandora.so", kind, service_file(f)),
                   fmt::format("put the {} line of {} into {}, where its comment says", kind, k_snippet,
                               service_file(f)));
}

void account_missing(const Facts& f, Report& report) {
    missing(f, report, "account");
}
void session_missing(const Facts& f, Report& report) {
    missing(f, report, "session");
}

// The gate's lines of the two phases.
[[nodiscard]] std::vector<const PamLine*> gate_lines(const Facts& f) {
    std::vector<const PamLine*> out;
    for (const char* kind : {"account", "session"})
        if (const PamLine* line = f.pam.gate_line(kind); line != nullptr && f.sshd.form != Form::none)
            out.push_back(line);
    return out;
}

// The first line of the phase before the gate's that may end it, or jump over the gate's, and stands in an
// include or does not.
[[nodiscard]] const PamLine* before(const Facts& f, const char* kind, bool included) {
    const auto lines = f.pam.of_kind(kind);
    const auto own =
        std::find_if(lines.begin(), lines.end(), [](const PamLine* line) { return line->is_gate(); });
    if (own == lines.end())
        return nullptr;
    for (auto line = lines.begin(); line != own; ++line)
        if (((*line)->depth > (*own)->depth) == included &&
            may_end_or_jump(**line, static_cast<std::size_t>(own - line)))
            return *line;
    return nullptr;
}

void late(const Facts& f, Report& report, const char* kind) {
    if (!has_pam(f))
        return;
    if (const PamLine* line = before(f, kind, true); line != nullptr)
        report.add(fmt::format("{} stands behind what includes {} (`{} {}`)", f.pam.gate_line(kind)->place(),
                               line->place(), line->control, escape_visible(line->module)),
                   fmt::format("move the line above that include in {}", service_file(f)));
}

void account_late(const Facts& f, Report& report) {
    late(f, report, "account");
}

// Of a session it is enough that something has been started already.
void session_late(const Facts& f, Report& report) {
    if (!has_pam(f))
        return;
    const auto lines = f.pam.of_kind("session");
    for (const PamLine* line : lines) {
        if (line->is_gate())
            return;
        if (line->depth == 0)
            continue;
        const PamLine* own = f.pam.gate_line("session");
        if (own != nullptr && own->depth == 0)
            report.add(fmt::format("{} stands behind what includes {}", own->place(), line->place()),
                       fmt::format("move the line above that include in {}", service_file(f)));
        return;
    }
}

void shadowed(const Facts& f, Report& report, const char* kind) {
    if (!has_pam(f))
        return;
    if (const PamLine* line = before(f, kind, false); line != nullptr)
        report.add(fmt::format("{} (`{} {}`) may end the phase, or jump over {}", line->place(),
                               line->control, escape_visible(line->module), f.pam.gate_line(kind)->place()),
                   fmt::format("move the line of pam_pandora above {}", line->place()));
}

void account_shadowed(const Facts& f, Report& report) {
    shadowed(f, report, "account");
}
void session_shadowed(const Facts& f, Report& report) {
    shadowed(f, report, "session");
}

void control(const Facts& f, Report& report) {
    for (const PamLine* line : gate_lines(f))
        if (line->control != "requisite" && line->control != "required")
            report.add(fmt::format("{}: pam_pandora.so is {}", line->place(), escape_visible(line->control)),
                       fmt::format("write requisite in its place in {}", line->file));
}

void require_key(const Facts& f, Report& report) {
    const PamLine* line = f.pam.gate_line("session");
    if (has_pam(f) && line != nullptr && !line->has("require_key"))
        report.add(fmt::format("{} has no require_key", line->place()),
                   fmt::format("sed -i '{}s/$/ require_key/' {}", line->line, line->file));
}

void module(const Facts& f, Report& report) {
    for (const PamLine* line : gate_lines(f)) {
        std::vector<std::string> places;
        if (line->module.starts_with('/'))
            places.push_back(line->module);
        else
            for (const std::string& directory : f.pam.module_directories)
                places.push_back(directory + '/' + line->module);
        const auto found = std::find_if(places.begin(), places.end(),
                                        [&f](const std::string& path) { return f.machine.exists(path); });
        if (found == places.end())
            return report.add(fmt::format("{} names {}, which is in no directory of PAM", line->place(),
                                          escape_visible(line->module)),
                              reinstall(f, "libpam-pandora"));
        const auto st = f.machine.stat(*found);
        if (st && (st->st_uid != 0 || (st->st_mode & 022U) != 0))
            return report.add(fmt::format("{} belongs to uid {} with mode {:04o}", *found, st->st_uid,
                                          st->st_mode & 07777U),
                              fmt::format("chown root {0}; chmod 644 {0}", *found));
    }
}

void group(const Facts& f, Report& report) {
    for (const PamLine* line : gate_lines(f)) {
        const std::string user = line->argument("user"), name = line->argument("group");
        if (!user.empty() && user != f.user())
            report.add(fmt::format("{} says user={}, account.user is {}", line->place(), escape_visible(user),
                                   f.user()),
                       fmt::format("write user={} there", f.user()));
        const auto gid = name.empty() ? std::nullopt : find_gid(f.machine, name);
        if (!name.empty() && (!gid || !f.account->in(*gid)))
            report.add(fmt::format("{} says group={}, {}", line->place(), escape_visible(name),
                                   gid ? "of which " + f.user() + " is no member"
                                       : std::string("which does not exist")),
                       fmt::format("write group={} there", f.policy.account_group));
    }
}

void shell(const Facts& f, Report& report) {
    for (const PamLine* line : gate_lines(f)) {
        const std::string list = line->argument("shell");
        if (!list.empty() && (',' + list + ',').find(',' + f.account->shell + ',') == std::string::npos)
            report.add(fmt::format("{} says shell={}, and {} has {}", line->place(), escape_visible(list),
                                   f.user(), escape_visible(f.account->shell)),
                       fmt::format("add {} to shell= there", escape_visible(f.account->shell)));
    }
}

// The line of pandora-services.snippet, where this service reads it too.
void services(const Facts& f, Report& report) {
    for (const PamLine* line : f.pam.of_kind("account")) {
        const std::string list = line->argument("services");
        if (f.sshd.form != Form::none && !list.empty() &&
            line->module.find("pam_pandora.so") != std::string::npos &&
            (',' + list + ',').find(',' + f.pam.service + ',') == std::string::npos)
            report.add(fmt::format("{} says services={}, and is read for {}", line->place(),
                                   escape_visible(list), f.pam.service),
                       fmt::format("add {} to services= there", f.pam.service));
    }
}

// Codes are typed as a password: what asks for the account's own one first refuses them.
void enrol(const Facts& f, Report& report) {
    if (!has_pam(f) || !f.pam.enrols())
        return;
    for (const PamLine* line : f.pam.of_kind("auth")) {
        if (line->is_gate() && line->has("enrol"))
            break;
        const std::string name = line->module.substr(line->module.rfind('/') + 1);
        if (name == "pam_unix.so" || name == "pam_deny.so")
            return report.add(
                fmt::format("{} (`{}`) stands before the auth line with enrol", line->place(), name),
                setup_ssh(f));
    }
    const PamLine* session = f.pam.gate_line("session");
    if (session != nullptr && !session->has("enrol"))
        report.add(fmt::format("{} has no enrol, the auth line has", session->place()),
                   fmt::format("sed -i '{}s/$/ enrol/' {}", session->line, session->file));
}

constexpr Check k_checks[] = {
    {"pam.service", Severity::error, "the PAM file of the gate is missing",
     "libpam takes /etc/pam.d/other in its place.", "sshd.not_set_up sshd.use_pam", no_service},
    {"pam.module", Severity::error, "pam_pandora.so is missing, or not root's",
     "A module that is missing refuses everybody whose login names it, administrators too.",
     "sshd.not_set_up sshd.use_pam", module},
    {"pam.account", Severity::error, "no account line",
     "Group, login shell, addresses and times are not looked at.", "sshd.not_set_up sshd.use_pam pam.service",
     account_missing},
    {"pam.account_late", Severity::error, "the account line comes too late",
     "What it stands behind may end the phase, and then it is not asked.",
     "sshd.not_set_up sshd.use_pam pam.service pam.account", account_late},
    {"pam.account_shadowed", Severity::error, "the account line is shadowed",
     "When the line before it succeeds, it is not asked.",
     "sshd.not_set_up sshd.use_pam pam.service pam.account pam.account_late", account_shadowed},
    {"pam.session", Severity::error, "no session line",
     "A password, or a key that is not in the keyring, is enough for a session.",
     "sshd.not_set_up sshd.use_pam pam.service", session_missing},
    {"pam.session_late", Severity::warning, "the session line comes too late",
     "What stands before it (a user manager, scripts of motd) runs for logins that are then refused.",
     "sshd.not_set_up sshd.use_pam pam.service pam.session", session_late},
    {"pam.session_shadowed", Severity::error, "the session line is shadowed",
     "When the line before it succeeds, it is not asked.",
     "sshd.not_set_up sshd.use_pam pam.service pam.session pam.session_late", session_shadowed},
    {"pam.control", Severity::error, "pam_pandora is not requisite", "What it refuses goes on all the same.",
     "sshd.not_set_up sshd.use_pam pam.service", control},
    {"pam.require_key", Severity::error, "the session line lacks require_key",
     "A login without a key of the keyring is let in.",
     "sshd.not_set_up sshd.use_pam pam.service pam.session", require_key},
    {"pam.group", Severity::error, "the lines speak of another group or user",
     "With scope=members they do not bind the account; a group that does not exist refuses everybody.",
     "sshd.not_set_up sshd.use_pam pam.service account.missing account.group", group},
    {"pam.shell", Severity::error, "the lines do not allow the login shell",
     "Every login of the account is refused.",
     "sshd.not_set_up sshd.use_pam pam.service account.missing account.shell", shell},
    {"pam.services", Severity::error, "services= does not name the gate's service",
     "Every login of the account is refused.", "sshd.not_set_up sshd.use_pam pam.service", services},
    {"pam.enrol", Severity::error, "the lines of enrolment do not fit",
     "A right code is refused, by what comes first or when the session opens.",
     "sshd.not_set_up sshd.use_pam pam.service pam.session", enrol},
};

} // namespace

std::span<const Check> pam_checks() {
    return k_checks;
}

} // namespace gate::ctl::doctor
