// The part "account": group, user, home, and the directories that it writes to.
#include "gatectl/problem.h"
#include "gatectl/setup/lives.h"
#include "gatectl/setup/plan.h"
#include "gatectl/trusted.h"
#include "lib/base/text.h"

namespace gate::ctl::setup {

namespace {

void plan_user(Plan& plan) {
    const Machine& machine = plan.machine;
    if (machine.own_group)
        plan.make_group(machine.policy.account_group);
    UserState now = plan.state_of(machine.account(), machine.account_group());
    UserState wanted = now;
    wanted.exists = true;
    wanted.shell = k_shell;
    wanted.member = machine.own_group || now.member;
    if (!now.exists) {
        wanted.group = machine.account_group();
        wanted.home = k_own_home;
        wanted.password = "*";
    } else {
        // usermod does not change the home of a user who runs something.
        if (now.home != k_own_home &&
            runs_anything(plan.place, machine.accounts.user(machine.account())->uid))
            plan.remark(fmt::format("processes of {} run: its home stays {} until setup is run again without "
                                    "them",
                                    machine.account(), escape_visible(now.home)));
        else
            wanted.home = k_own_home;
        if (!plan.known.contains(machine.account()))
            wanted.password = "*";
        else if (now.password != "*")
            plan.remark(fmt::format("{} was given a password since: left as it is; `usermod -p '*' {}` "
                                    "locks it",
                                    machine.account(), machine.account()));
    }
    plan.user(machine.account(), wanted);
}

// The helper's user is made by the package; with `make install` it is not.
void plan_helper(Plan& plan) {
    if (plan.machine.accounts.user("_pandora-gate") == nullptr)
        plan.user("_pandora-gate",
                  {.exists = true, .group = "", .home = "/", .shell = "/usr/sbin/nologin", .password = "*"});
}

void plan_run(Plan& plan) {
    const auto add = [&plan](const char* path, const char* owner, mode_t mode) {
        plan.directory(path, owner, owner, mode).data = true;
    };
    add("/run/pandora-gate", "root", 0755);
    add("/run/pandora-gate/authkeys", "_pandora-gate", 0700);
    add("/run/pandora-gate/empty", "root", 0555);
    add("/run/pandora-gate/tickets", "root", 0700);
    if (!plan.place.exists("/usr/lib/tmpfiles.d/pandora-gate.conf"))
        plan.remark("/usr/lib/tmpfiles.d/pandora-gate.conf is missing: /run/pandora-gate will not be there "
                    "after a boot; install the package again");
}

// In place: only what would keep the account or the server from working is corrected.
[[nodiscard]] mode_t spool_mode(const PathState& now) {
    return now.kind == PathState::Kind::directory ? ((now.mode | 02770) & ~mode_t{0007}) : mode_t{02770};
}

void plan_spool(Plan& plan) {
    const Machine& machine = plan.machine;
    const keyring::Policy& policy = machine.policy;
    const std::string above = policy.spool_directory.substr(0, policy.spool_directory.rfind('/'));
    const PathState now = plan.place.look(policy.spool_directory);
    std::string group = machine.accounts.group(machine.web_group()) != nullptr ? machine.web_group()
                                                                               : machine.account_group();
    if (now.kind == PathState::Kind::directory)
        group = machine.accounts.group_name(now.gid);
    if (!above.empty() && !plan.place.exists(above))
        plan.directory(above, "root", "root", 0755).data = true;
    plan.directory(policy.spool_directory, machine.account(), group, spool_mode(now)).data = true;
    plan.directory(policy.spool_staging, machine.account(), group, 02770).data = true;
    plan.directory(policy.spool_quarantine, "root", machine.account_group(), 01730).data = true;
    const auto volume = plan.place.volume(policy.spool_directory);
    for (const std::string* path : {&policy.spool_staging, &policy.spool_quarantine})
        if (plan.place.volume(*path) != volume)
            stop(Status::refused,
                 "{} is not on the file system of {}: name another place in gate.toml (spool.staging, "
                 "spool.quarantine)",
                 escape_visible(*path), escape_visible(policy.spool_directory));
}

// Directories in data_in whose files the server or other agents trust.
void plan_trusted(Plan& plan) {
    const Machine& machine = plan.machine;
    const bool tentacle = uses_tentacle(plan.place);
    for (const char* name : {"conf", "md5", "collections", "commands"}) {
        const std::string path = machine.policy.spool_directory + '/' + name;
        const PathState now = plan.place.look(path);
        if (now.kind != PathState::Kind::directory)
            continue;
        const User* account = machine.accounts.user(machine.account());
        const std::string group = machine.accounts.group_name(now.gid);
        const Group* known = machine.accounts.group(group);
        const bool by_group =
            account != nullptr &&
            writes_by_group(now.mode, known != nullptr ? machine.accounts.is_member(*account, *known)
                                                       : account->gid == now.gid);
        const bool writable =
            (account != nullptr && now.uid == account->uid) || by_group || (now.mode & 0002) != 0;
        if (!writable)
            continue;
        if (tentacle || by_group) {
            plan.remark(fmt::format("{} can be written by {}, and is left so: {}", escape_visible(path),
                                    machine.account(),
                                    tentacle ? "Tentacle writes there in its name"
                                             : "the group " + group + " needs it, and it is a member"));
            continue;
        }
        plan.directory(path, "root", group, now.mode & ~mode_t{0002}).data = true;
    }
}

// Listed there, `su -s` and `chsh` would take drop for a full shell.
void plan_shells(Plan& plan) {
    const auto text = plan.place.text("/etc/shells");
    if (!text || text->find(k_shell) == std::string::npos)
        return;
    std::string without;
    for (const std::string& line : lines(*text))
        if (words(line) != std::vector<std::string>{k_shell})
            without += line + '\n';
    plan.file("/etc/shells", without).merged = true;
}

} // namespace

void plan_account(Plan& plan) {
    plan.part = "account";
    if (!plan.place.exists(k_shell))
        stop(Status::no_input, "{} is missing: install the package first", k_shell);
    plan_user(plan);
    plan_helper(plan);
    const PathState home = plan.place.look(k_own_home);
    if (home.kind != PathState::Kind::directory || home.uid != 0 || (home.mode & 0022) != 0)
        plan.directory(k_own_home, "root", "root", 0755);
    if (!plan.place.names(k_own_home).empty())
        plan.remark(std::string(k_own_home) + " is not empty: it is nobody's business to have files there");
    plan_run(plan);
    plan_spool(plan);
    plan_trusted(plan);
    plan_shells(plan);
}

} // namespace gate::ctl::setup
