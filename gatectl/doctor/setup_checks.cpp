// What has to be there before anything else can be looked at, and the account.
#include "gatectl/doctor/mend.h"
#include "gatectl/doctor/table.h"

#include "lib/base/text.h"

#include <algorithm>
#include <fmt/format.h>

namespace gate::ctl::doctor {

namespace {

constexpr const char* k_drop = GATE_LIBEXECDIR "/drop";

void not_set_up(const Facts& f, Report& report) {
    if (f.sshd.form == Form::none && !f.policy.ftp_enabled)
        report.add(fmt::format("neither {} nor {} is there, and {} names no program of pandora-gate",
                               k_own_config, k_drop_in, k_main_config),
                   "pandora-gate setup --dry-run, then pandora-gate setup --apply");
}

void no_sshd(const Facts& f, Report& report) {
    if (f.sshd.form != Form::none && !f.sshd.installed)
        report.add(fmt::format("there is no {}", k_sshd), install(f, "openssh-server"));
}

void bad_config(const Facts& f, Report& report) {
    if (f.sshd.form == Form::none)
        return;
    if (!f.sshd.gate.wrong.empty())
        report.add(f.sshd.gate.wrong,
                   fmt::format("mend that line, and check it with {} -t -f {}", k_sshd,
                               f.sshd.form == Form::own_gate ? k_own_config : k_main_config));
    else if (!f.sshd.main.wrong.empty())
        report.add(f.sshd.main.wrong, fmt::format("mend that line, and check it with {} -t", k_sshd));
}

void not_included(const Facts& f, Report& report) {
    if (f.sshd.form == Form::drop_in && f.machine.exists(k_drop_in) && !f.sshd.main.reads(k_drop_in))
        report.add(
            fmt::format("{} is there, but no Include of {} reads it", k_drop_in, k_main_config),
            fmt::format(
                "put `Include /etc/ssh/sshd_config.d/*.conf` at the top of {}, then systemctl reload {}",
                k_main_config, main_unit(f)));
}

void no_account(const Facts& f, Report& report) {
    if (!f.account)
        report.add(
            fmt::format("account.user is {}, and /etc/passwd has no such user", escape_visible(f.user())),
            "pandora-gate setup account --apply");
}

void is_root(const Facts& f, Report& report) {
    if (f.account->uid == 0)
        report.add(fmt::format("{} has uid 0", f.user()),
                   fmt::format("usermod -u NUMBER {}, with a number that is free", f.user()));
}

// Lines with user= and none with group=, as on Fedora and RHEL: they bind by the name.
[[nodiscard]] bool binds_by_user(const Facts& f) {
    bool any = false;
    for (const char* kind : {"account", "session"})
        if (const PamLine* line = f.pam.gate_line(kind); line != nullptr) {
            if (line->argument("user").empty() || !line->argument("group").empty())
                return false;
            any = true;
        }
    return any;
}

void not_in_group(const Facts& f, Report& report) {
    if (binds_by_user(f))
        return;
    const auto gid = find_gid(f.machine, f.policy.account_group);
    if (!gid)
        report.add(
            fmt::format("there is no group {}", f.policy.account_group),
            fmt::format("groupadd --system {0}; usermod -aG {0} {1}", f.policy.account_group, f.user()));
    else if (!f.account->in(*gid))
        report.add(fmt::format("{} is not in the group {}", f.user(), f.policy.account_group),
                   fmt::format("usermod -aG {} {}", f.policy.account_group, f.user()));
}

void other_shell(const Facts& f, Report& report) {
    if (f.sshd.form != Form::none && f.account->shell != k_drop)
        report.add(fmt::format("the login shell of {} is {}", f.user(),
                               f.account->shell.empty() ? "/bin/sh (none is given)"
                                                        : escape_visible(f.account->shell)),
                   fmt::format("usermod -s {} {}", k_drop, f.user()));
}

void in_etc_shells(const Facts& f, Report& report) {
    const std::string text = f.machine.read("/etc/shells").value_or("");
    std::size_t number = 1;
    for (std::string_view rest = text; !rest.empty(); ++number) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        const auto words = words_of(line);
        if (!words.empty() && (words.front() == k_drop || words.front() == f.account->shell))
            report.add(fmt::format("/etc/shells:{} lists {}", number, escape_visible(words.front())),
                       fmt::format("sed -i '{}d' /etc/shells", number));
    }
}

void has_password(const Facts& f, Report& report) {
    const auto fields = shadow_of(f.machine, f.user());
    if (fields.size() < 2 || (f.pam.enrols() && f.store.window_until != 0))
        return; // the window of enrolment asks for it
    const std::string& hash = fields[1];
    if (hash.empty() || (hash.front() != '*' && hash.front() != '!'))
        report.add(fmt::format("/etc/shadow has {} for {}", hash.empty() ? "an empty password" : "a password",
                               f.user()),
                   fmt::format("usermod -p '*' {}", f.user()));
}

void is_expired(const Facts& f, Report& report) {
    const auto fields = shadow_of(f.machine, f.user());
    if (fields.size() < 8)
        return;
    const auto day = parse_u64(fields[7]);
    if (day && static_cast<std::int64_t>(*day) * 86'400 <= f.now)
        report.add(fmt::format("/etc/shadow: {} has expired on day {} since 1970", f.user(), *day),
                   fmt::format("chage -E -1 {}", f.user()));
}

void bad_home(const Facts& f, Report& report) {
    const std::string& home = f.account->home;
    if (f.sshd.form == Form::none || home.empty())
        return;
    const auto st = f.machine.stat(home);
    const std::string fix = fmt::format("install -d -o root -g root -m 755 {}", escape_visible(home));
    if (!st || !S_ISDIR(st->st_mode))
        report.add(fmt::format("the home of {}, {}, is no directory", f.user(), escape_visible(home)), fix);
    else if (st->st_uid != 0 || may(*f.account, *st, 2))
        report.add(fmt::format("the home of {}, {}, belongs to uid {} with mode {:04o}", f.user(),
                               escape_visible(home), st->st_uid, st->st_mode & 07777U),
                   fix);
}

void old_keys(const Facts& f, Report& report) {
    std::vector<std::string> seen;
    for (const std::string& home : {f.account->home, "/home/" + f.user(), f.policy.spool_directory})
        for (const char* name : {"/.ssh/authorized_keys", "/.ssh/authorized_keys2"}) {
            const std::string path = home + name;
            if (home.empty() || !f.machine.exists(path) ||
                std::find(seen.begin(), seen.end(), path) != seen.end())
                continue;
            seen.push_back(path);
            report.add(fmt::format("{} is still there", escape_visible(path)),
                       fmt::format("pandora-gate keys import {0}; mv {0} /root/", escape_visible(path)));
        }
}

constexpr Check k_checks[] = {
    {"sshd.not_set_up", Severity::error, "no gate is set up",
     "Agents cannot log in before sshd and PAM know the gate.", "", not_set_up},
    {"sshd.missing", Severity::error, "no sshd is installed", "Agents log in by sshd.", "sshd.not_set_up",
     no_sshd},
    {"sshd.config", Severity::error, "sshd refuses its configuration",
     "It does not start with it, and a running one goes on with what it read before.",
     "sshd.not_set_up sshd.missing", bad_config},
    {"sshd.not_included", Severity::error, "the drop-in is not read",
     "None of its lines is in force: the account is one like any other.",
     "sshd.not_set_up sshd.missing sshd.config", not_included},
    {"account.missing", Severity::error, "the account does not exist", "Agents log in as it.",
     "sshd.not_set_up", no_account},
    {"account.root", Severity::error, "the account is uid 0",
     "Whoever has an agent's key would be root; drop refuses.", "sshd.not_set_up account.missing", is_root},
    {"account.group", Severity::error, "the account is not in its group",
     "The rules of PAM bind the members of that group, and nobody else.", "sshd.not_set_up account.missing",
     not_in_group},
    {"account.shell", Severity::error, "the login shell is not drop",
     "sshd runs the login shell with the ForceCommand: nologin refuses everything, a shell runs its own "
     "files first.",
     "sshd.not_set_up account.missing", other_shell},
    {"account.shells_file", Severity::error, "the shell is in /etc/shells",
     "With it, `su -s` gives whoever may become the account any other shell.",
     "sshd.not_set_up account.missing account.shell", in_etc_shells},
    {"account.password", Severity::error, "the account has a password",
     "It opens su, FTP and every other service that asks for one, and nobody needs it.",
     "sshd.not_set_up account.missing", has_password},
    {"account.expired", Severity::error, "the account has expired",
     "PAM refuses every login of an expired account.", "sshd.not_set_up account.missing", is_expired},
    {"account.home", Severity::warning, "the home is missing or not root's",
     "Without one, agents see a warning of sshd; one that the account can write holds what a later login "
     "reads.",
     "sshd.not_set_up account.missing account.root", bad_home},
    {"account.old_keys", Severity::warning, "authorized_keys of before",
     "Whoever loosens AuthorizedKeysFile later lets all of them in again, without any rule.",
     "sshd.not_set_up account.missing", old_keys},
};

} // namespace

std::span<const Check> account_checks() {
    return k_checks;
}

} // namespace gate::ctl::doctor
