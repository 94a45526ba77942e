// `pandora-gate setup`: plan, show, carry out, prove; or take back.
#include "gatectl/problem.h"
#include "gatectl/publish/config.h"
#include "gatectl/setup/apply.h"
#include "gatectl/setup/checks.h"
#include "gatectl/setup/demands.h"
#include "gatectl/setup/lives.h"
#include "gatectl/setup/lock.h"
#include "gatectl/setup/manifest.h"
#include "gatectl/setup/plan.h"
#include "gatectl/setup/remove.h"
#include "gatectl/setup/report.h"
#include "gatectl/setup/request.h"
#include "gatectl/setup/services.h"
#include "gatectl/setup/tell.h"
#include "gatectl/setup/wishes.h"
#include "lib/base/text.h"

#include <algorithm>
#include <optional>

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

class Setup {
  public:
    Setup(Context& context, Place& place, Runner& runner, Request request)
        : context_(context), place_(place), runner_(runner), request_(std::move(request)),
          machine_(look_at_machine(place, runner, policy())), manifest_(Manifest::read(place)) {
        report_.systemd = machine_.systemd;
        report_.dry_run = !request.apply;
        if (request.wants("ssh"))
            report_.form = request.ssh.own_port != 0 ? "own" : "drop-in";
    }

    [[nodiscard]] std::string apply() {
        demand_form(manifest_, request_);
        const std::string kept = keep_wishes(request_, manifest_);
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
        if (!kept.empty())
            report_.remarks.push_back(kept);
        report_.lives = find_lives(place_, machine_, request_);
        report_.accepted = request_.yes_break;
        report_.accepted.insert(report_.accepted.end(), manifest_.accepted.begin(), manifest_.accepted.end());
        std::copy_if(plan.steps.begin(), plan.steps.end(), std::back_inserter(report_.steps),
                     [&](const Step& step) { return !changes_nothing(step, machine_.accounts); });
        give_back();
        plan_services();
        demand_account(report_.steps, machine_);
        if (request_.apply) {
            carry_out_plan();
            tell_of(context_, report_, request_);
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
        plan_services();
        if (!report_.dry_run) {
            take_all_back(removal);
            tell_of(context_, report_, request_);
        }
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

    void plan_services() {
        report_.services = services_before(report_.steps);
        const auto after = services_after(report_.steps, machine_);
        report_.services.insert(report_.services.end(), after.begin(), after.end());
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
        if (request_.ssh.own_port != 0 && machine_.systemd && !answers_already())
            check_silence(runner_, request_.ssh);
    }

    // The gate's own sshd, on the port that is asked for.
    [[nodiscard]] bool answers_already() const {
        return is_active(place_, runner_, k_own_unit) &&
               (!manifest_.wishes || manifest_.wishes->own_port == request_.ssh.own_port);
    }

    void carry_out_plan() {
        if (report_.steps.empty()) {
            prove();
            if (note_wishes())
                manifest_.write(place_);
            return;
        }
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
            static_cast<void>(note_wishes());
            // What is about to be taken out of it can still be taken back.
            Manifest written = manifest_;
            for (const std::string& path : given_back_)
                written.entries.push_back(*earlier.find(Step::Kind::path, path));
            written.write(place_);
        } catch (...) {
            forget_all();
            throw;
        }
        Services services(place_, runner_, machine_, report_.steps);
        carry_out(place_, runner_, report_.steps,
                  {.before = [&] { services.before(); },
                   .after =
                       [&] {
                           prove();
                           // Before the account is denied at the administrators' port.
                           services.after([&] { check_greeting(runner_, request_.ssh); });
                       },
                   .before_back = [&] { return services.before_taking_back(); },
                   .after_back = [&] { return services.after_taking_back(); },
                   .all_back = forget_all});
        manifest_.write(place_);
        clear_scratch();
    }

    // True if they are others than the manifest has. Of a machine that setup has not changed nothing is
    // noted.
    bool note_wishes() {
        if (!request_.wants("ssh") || manifest_.entries.empty() || manifest_.wishes == request_.ssh)
            return false;
        manifest_.wishes = request_.ssh;
        return true;
    }

    void take_all_back(const Removal& removal) {
        Services services(place_, runner_, machine_, report_.steps);
        carry_out(place_, runner_, report_.steps,
                  {.before = [&] { services.before(); },
                   .after = [&] { services.after([] {}); },
                   .before_back = [&] { return services.before_taking_back(); },
                   .after_back = [&] { return services.after_taking_back(); },
                   .all_back = [] {}});
        for (const auto& [kind, name] : removal.settled)
            manifest_.forget(kind, name);
        if (std::none_of(manifest_.entries.begin(), manifest_.entries.end(),
                         [](const Entry& entry) { return entry.step.part == "ssh"; }))
            manifest_.wishes.reset();
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
    Request request_; // with what an earlier one wished
    Machine machine_;
    Manifest manifest_;
    Report report_{};
    std::vector<std::string> given_back_{};
};

} // namespace

std::string setup(Context& context, Place& place, Runner& runner, const Request& request) {
    std::optional<Lock> lock; // who only looks leaves no trace
    if (request.apply || (request.remove && !context.dry_run))
        lock.emplace(place);
    Setup work(context, place, runner, request);
    return request.remove ? work.remove() : work.apply();
}

} // namespace gate::ctl::setup
