#include "gatectl/setup/demands.h"

#include "gatectl/problem.h"
#include "gatectl/setup/sshd.h"

#include <algorithm>

namespace gate::ctl::setup {

namespace {

// A line in PAM whose group= does not exist refuses everybody, root included.
void demand_group(const std::vector<Step>& steps, const Machine& machine) {
    if (!machine.own_group)
        return;
    const Group* group = machine.accounts.group(machine.account_group());
    const bool made = std::any_of(steps.begin(), steps.end(), [&](const Step& step) {
        return step.kind == Step::Kind::group && step.name == machine.account_group();
    });
    const User* user = machine.accounts.user(machine.account());
    if (!made && (group == nullptr || !machine.accounts.is_member(*user, *group)))
        stop(Status::refused,
             "the account {0} is not in group {1}, which the lines of PAM would name: run `pandora-gate "
             "setup account --apply` first",
             machine.account(), machine.account_group());
}

} // namespace

void demand_form(const Manifest& manifest, const Request& request) {
    const bool own = manifest.find(Step::Kind::path, k_own_config) != nullptr;
    if (own && request.wants("ssh") && request.ssh.own_port == 0)
        stop(Status::refused,
             "an sshd of its own is in place: say --own-port again (see {}), or "
             "`pandora-gate setup ssh --remove` first",
             k_own_config);
}

void demand_consent(const Report& report) {
    std::string text;
    std::string words;
    for (const Life& life : report.lives)
        if (life.breaks && !is_accepted(report, life)) {
            text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", life.name, life.effect);
            words += " --yes-break " + life.name;
        }
    if (!text.empty())
        stop(Status::refused,
             "this would break what lives as the account: {}. Nothing was changed; change "
             "that first, or say{}",
             text, words);
}

void demand_account(const std::vector<Step>& steps, const Machine& machine) {
    const bool made = std::any_of(steps.begin(), steps.end(), [&](const Step& step) {
        return step.kind == Step::Kind::user && step.name == machine.account();
    });
    if (!made && machine.accounts.user(machine.account()) == nullptr)
        stop(Status::refused, "there is no account {} yet: run `pandora-gate setup account --apply` first",
             machine.account());
    if (!made)
        demand_group(steps, machine);
}

} // namespace gate::ctl::setup
