// The programs that sshd starts for the account: who could exchange them, and who can run them.
#include "gatectl/doctor/mend.h"
#include "gatectl/doctor/table.h"

#include <fmt/format.h>

namespace gate::ctl::doctor {

namespace {

constexpr const char* k_helper = GATE_LIBEXECDIR "/authkeys";
constexpr const char* k_helper_user = "_pandora-gate";
constexpr const char* k_drop = GATE_LIBEXECDIR "/drop";

// "/a/b/c": "/a/b/c", "/a/b", "/a", "/".
[[nodiscard]] std::vector<std::string> with_parents(std::string path) {
    std::vector<std::string> out;
    for (; !path.empty(); path.erase(path.rfind('/')))
        out.push_back(path);
    out.emplace_back("/");
    return out;
}

void look_at_path(const Facts& f, const char* program, Report& report) {
    for (const std::string& path : with_parents(program)) {
        const auto st = f.machine.stat(path);
        if (st && st->st_uid != 0)
            report.add(fmt::format("{} belongs to uid {}, not to root", path, st->st_uid),
                       fmt::format("chown root {}", path));
        else if (st && (st->st_mode & 022U) != 0)
            report.add(
                fmt::format("{} has mode {:04o}: others than root may write it", path, st->st_mode & 07777U),
                fmt::format("chmod go-w {}", path));
    }
}

// Can this user come there, and run it?
void look_at_program(const Facts& f, const char* program, const User& user, Report& report) {
    if (!f.machine.exists(program))
        return report.add(fmt::format("there is no {}", program), reinstall(f, "pandora-gate"));
    for (const std::string& path : with_parents(program)) {
        const auto st = f.machine.stat(path);
        if (st && !may(user, *st, 1))
            report.add(fmt::format("{} has mode {:04o}: {} may not {}", path, st->st_mode & 07777U, user.name,
                                   path == program ? "run it" : "pass"),
                       fmt::format("chmod a+x {}", path));
    }
}

void no_helper_user(const Facts& f, Report& report) {
    if (f.sshd.form != Form::none && !find_user(f.machine, k_helper_user))
        report.add(fmt::format("there is no user {}", k_helper_user), "systemd-sysusers");
}

void helper(const Facts& f, Report& report) {
    if (f.sshd.form != Form::none)
        look_at_program(f, k_helper, *find_user(f.machine, k_helper_user), report);
}

void helper_path(const Facts& f, Report& report) {
    if (f.sshd.form != Form::none)
        look_at_path(f, k_helper, report);
}

void drop_runs(const Facts& f, Report& report) {
    if (f.sshd.form != Form::none)
        look_at_program(f, k_drop, *f.account, report);
}

void drop_is_roots(const Facts& f, Report& report) {
    const auto st = f.machine.stat(k_drop);
    if (f.sshd.form == Form::none || !st)
        return;
    if (st->st_uid != 0 || (st->st_mode & 022U) != 0)
        report.add(
            fmt::format("{} belongs to uid {} with mode {:04o}", k_drop, st->st_uid, st->st_mode & 07777U),
            fmt::format("chown root {0}; chmod 755 {0}", k_drop));
}

constexpr Check k_checks[] = {
    {"helper.user", Severity::error, "the user of authkeys does not exist",
     "sshd runs the key helper as it, and serves no key without it.", "sshd.not_set_up", no_helper_user},
    {"helper.path", Severity::error, "others may write authkeys, or its path",
     "sshd runs no AuthorizedKeysCommand that others than root could exchange: every login is refused.",
     "sshd.not_set_up", helper_path},
    {"helper.run", Severity::error, "authkeys is missing or cannot be run",
     "No key is served: every login is refused.", "sshd.not_set_up helper.user", helper},
    {"drop.owner", Severity::error, "others may write drop", "Whoever can exchange it reads every packet.",
     "sshd.not_set_up helper.path", drop_is_roots},
    {"drop.run", Severity::error, "drop is missing or cannot be run",
     "Logins succeed, and every delivery fails.", "sshd.not_set_up account.missing", drop_runs},
};

} // namespace

std::span<const Check> helper_checks() {
    return k_checks;
}

} // namespace gate::ctl::doctor
