// `pandora-gate setup`: plan, show, carry out, prove; or take back.
#include "gatectl/problem.h"
#include "gatectl/publish/config.h"
#include "gatectl/setup/apply.h"
#include "gatectl/setup/checks.h"
#include "gatectl/setup/lives.h"
#include "gatectl/setup/manifest.h"
#include "gatectl/setup/plan.h"
#include "gatectl/setup/remove.h"
#include "gatectl/setup/report.h"
#include "gatectl/setup/request.h"
#include "gatectl/setup/services.h"
#include "lib/base/text.h"

#include <algorithm>

namespace gate::ctl::setup {

namespace {

[[nodiscard]] std::string told(const Context& context, const Report& report, const Machine& machine) {
    return context.json ? for_programs(report, machine.accounts) : for_people(report, machine.accounts);
}

// Paths that one form has and the other has not.
[[nodiscard]] std::vector<std::string> not_wanted_now(const Request& request) {
    std::vector<std::string> out;
    if (!request.wants("ssh"))
        return out;
    if (request.ssh.own_port != 0)
        out.emplace_back("/etc/pam.d/sshd");
    if (!request.ssh.enrolment) {
        out.emplace_back("/etc/systemd/system/multi-user.target.wants/pandora-gate-enrol.service");
        out.emplace_back("/etc/systemd/system/pandora-gate-enrol.service");
    }
    return out;
}

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

class Setup {
  public:
    Setup(Context& context, Place& place, Runner& runner, const Request& request)
        : context_(context), place_(place), runner_(runner), request_(request),
          machine_(look_at_machine(place, runner, policy())), manifest_(Manifest::read(place)) {
        report_.systemd = machine_.systemd;
        report_.dry_run = !request.apply;
        if (request.wants("ssh"))
            report_.form = request.ssh.own_port != 0 ? "own" : "drop-in";
    }

    [[nodiscard]] std::string apply() {
        demand_form(manifest_, request_);
        Plan plan(place_, runner_, machine_, request_);
        for (const Entry& entry : manifest_.entries)
            if (entry.step.kind == Step::Kind::user)
                plan.known.insert(entry.step.name);
        if (request_.wants("account"))
            plan_account(plan);
        if (request_.wants("ssh"))
            plan_ssh(plan);
        if (request_.part == "ftp")
            plan_ftp(plan);
        report_.remarks = plan.remarks;
        report_.lives = find_lives(place_, machine_, request_);
        report_.accepted = request_.yes_break;
        report_.accepted.insert(report_.accepted.end(), manifest_.accepted.begin(), manifest_.accepted.end());
        std::copy_if(plan.steps.begin(), plan.steps.end(), std::back_inserter(report_.steps),
                     [&](const Step& step) { return !changes_nothing(step, machine_.accounts); });
        give_back();
        report_.services = services_after(report_.steps, machine_);
        demand_account();
        if (request_.apply) {
            carry_out_plan();
            report_.user = request_.ftp_user;
            report_.password = plan.password;
        }
        return told(context_, report_, machine_);
    }

    [[nodiscard]] std::string remove() {
        report_.action = "remove";
        report_.form.clear();
        report_.dry_run = context_.dry_run;
        Removal removal = plan_removal(place_, manifest_, request_);
        report_.steps = std::move(removal.steps);
        report_.left = std::move(removal.left);
        report_.services = services_before(report_.steps);
        const auto after = services_after(report_.steps, machine_);
        report_.services.insert(report_.services.end(), after.begin(), after.end());
        if (!report_.dry_run)
            take_all_back(removal, after);
        if (!report_.left.empty())
            context_.exit_status = static_cast<int>(Status::refused);
        return told(context_, report_, machine_);
    }

  private:
    // A gate.toml that cannot be used keeps nobody from taking setup back.
    [[nodiscard]] keyring::Policy policy() const {
        try {
            return load_config(place_.real(config_path()), context_.owner).policy;
        } catch (const Problem& problem) {
            if (!request_.remove)
                throw;
            context_.remarks.push_back(problem.what());
            return {};
        }
    }
    [[nodiscard]] std::string config_path() const {
        return place_.is_machine() ? context_.config : k_default_config;
    }

    void demand_account() const {
        const bool made = std::any_of(report_.steps.begin(), report_.steps.end(), [&](const Step& step) {
            return step.kind == Step::Kind::user && step.name == machine_.account();
        });
        if (!made && machine_.accounts.user(machine_.account()) == nullptr)
            stop(Status::refused,
                 "there is no account {} yet: run `pandora-gate setup account --apply` first",
                 machine_.account());
        if (!made)
            demand_group();
    }

    // A line in PAM whose group= does not exist refuses everybody, root included.
    void demand_group() const {
        if (!machine_.own_group)
            return;
        const Group* group = machine_.accounts.group(machine_.account_group());
        const bool made = std::any_of(report_.steps.begin(), report_.steps.end(), [&](const Step& step) {
            return step.kind == Step::Kind::group && step.name == machine_.account_group();
        });
        const User* user = machine_.accounts.user(machine_.account());
        if (!made && (group == nullptr || !machine_.accounts.is_member(*user, *group)))
            stop(Status::refused,
                 "the account {0} is not in group {1}, which the lines of PAM would name: run `pandora-gate "
                 "setup account --apply` first",
                 machine_.account(), machine_.account_group());
    }

    void give_back() {
        for (const std::string& path : not_wanted_now(request_))
            if (const Entry* entry = manifest_.find(Step::Kind::path, path)) {
                std::vector<std::string> left;
                if (auto step = restoring(place_, machine_.accounts, *entry, false, left))
                    report_.steps.push_back(std::move(*step));
                if (left.empty())
                    given_back_.push_back(path);
                else
                    report_.remarks.push_back(left.front());
            }
    }

    void prove() const {
        if (!request_.wants("ssh"))
            return;
        const auto remarks = check_result(runner_, machine_, request_.ssh);
        for (const std::string& remark : remarks)
            context_.remarks.push_back(remark);
    }

    void before() const {
        if (!request_.wants("ssh"))
            return;
        // Debian's makes that directory when it starts; without it sshd says nothing else.
        if (!machine_.debian() || place_.exists("/run/sshd")) {
            check_syntax(runner_, machine_);
            if (request_.ssh.own_port != 0)
                check_port(runner_, machine_, request_.ssh);
        }
    }

    void carry_out_plan() {
        if (report_.steps.empty())
            return prove();
        demand_consent(report_);
        before();
        Manifest earlier = manifest_;
        const auto forget_all = [&] {
            if (earlier.entries.empty())
                earlier.erase(place_);
            else
                earlier.write(place_);
            clear_scratch();
        };
        try {
            place_.make_private_directory(k_setup_state);
            for (Step& step : report_.steps) {
                if (step.make)
                    step.to.content = step.make();
                step.make = {};
                manifest_.note(step);
            }
            for (const std::string& path : given_back_)
                manifest_.forget(Step::Kind::path, path);
            for (const std::string& name : request_.yes_break)
                manifest_.accepted.push_back(name);
            // What is about to be taken out of it can still be taken back.
            Manifest written = manifest_;
            for (const std::string& path : given_back_)
                written.entries.push_back(*earlier.find(Step::Kind::path, path));
            written.write(place_);
        } catch (...) {
            forget_all();
            throw;
        }
        carry_out(
            place_, runner_, report_.steps,
            [&] {
                prove();
                if (machine_.systemd)
                    run_services(place_, runner_, report_.services);
            },
            [&] {
                forget_all();
                if (machine_.systemd)
                    run_services(place_, runner_,
                                 {{"daemon-reload"}, {"try-reload-or-restart", machine_.ssh_unit()}});
            });
        manifest_.write(place_);
        clear_scratch();
    }

    void take_all_back(const Removal& removal, const std::vector<Command>& after) {
        if (machine_.systemd)
            run_services(place_, runner_, services_before(report_.steps));
        carry_out(
            place_, runner_, report_.steps,
            [&] {
                if (machine_.systemd)
                    run_services(place_, runner_, after);
            },
            [] {});
        for (const auto& [kind, name] : removal.settled)
            manifest_.forget(kind, name);
        if (manifest_.entries.empty())
            manifest_.erase(place_);
        else
            manifest_.write(place_);
    }

    // Private keys in their making.
    void clear_scratch() {
        for (const char* name :
             {"ed25519", "ecdsa", "rsa", "ed25519.pub", "ecdsa.pub", "rsa.pub", "ftp.key", "ftp.crt"})
            if (const std::string path = std::string(k_setup_state) + '/' + name; place_.exists(path))
                place_.remove_tree(path);
    }

    Context& context_;
    Place& place_;
    Runner& runner_;
    const Request& request_;
    Machine machine_;
    Manifest manifest_;
    Report report_{};
    std::vector<std::string> given_back_{};
};

} // namespace

std::string setup(Context& context, Place& place, Runner& runner, const Request& request) {
    Setup work(context, place, runner, request);
    return request.remove ? work.remove() : work.apply();
}

} // namespace gate::ctl::setup
