#include "gatectl/setup/apply.h"

#include "gatectl/problem.h"
#include "lib/base/text.h"

namespace gate::ctl::setup {

namespace {

void run_command(const Place& place, Runner& runner, const Command& command, std::string_view input = {}) {
    Command argv = command;
    argv[0] = place.program(command[0]);
    if (argv[0].empty())
        stop(Status::no_input, "{} is missing", command[0]);
    const Ran ran = runner.run(argv, input);
    if (ran.status != 0)
        stop(Status::io, "{}: status {}: {}", words_of(shown(argv)), ran.status,
             escape_visible(ran.text.substr(0, ran.text.find_last_not_of('\n') + 1), 400));
}

[[nodiscard]] std::uint32_t number(const std::optional<uid_t>& id, const std::string& name) {
    if (!id)
        stop(Status::internal, "there is no user or group {}", escape_visible(name));
    return *id;
}

void put(Place& place, const Step& step) {
    PathState to = step.to;
    const Accounts accounts = read_accounts(place);
    to.uid = number(accounts.uid(step.owner), step.owner);
    to.gid = number(accounts.gid(step.group), step.group);
    place.put(step.name, to);
}

void carry_out_one(Place& place, Runner& runner, const Step& step) {
    if (step.kind == Step::Kind::path)
        return put(place, step);
    // userdel takes the group of the same name along.
    if (step.kind == Step::Kind::group &&
        (read_accounts(place).group(step.name) != nullptr) == step.group_after)
        return;
    for (const Command& command : commands_of(step))
        run_command(place, runner, command, input_of(step, command));
}

// Whatever half of it was done.
void take_back(Place& place, Runner& runner, const Step& step) {
    Step back = reversed(step);
    if (step.kind == Step::Kind::path) {
        if (place.look(step.name) != back.to)
            put(place, back);
        return;
    }
    const Accounts accounts = read_accounts(place);
    if (step.kind == Step::Kind::user) {
        const User* now = accounts.user(step.name);
        if (now == nullptr && !back.user_to.exists)
            return;
        // What the commands are computed from is what is there now.
        const Group* group = accounts.group(step.member_of);
        if (now != nullptr)
            back.user_from = {.exists = true,
                              .group = back.user_to.group,
                              .home = now->home,
                              .shell = now->shell,
                              .password = now->password,
                              .last_change = {},
                              .member = group != nullptr && accounts.is_member(*now, *group)};
        if (now != nullptr && now->last_change != back.user_to.last_change &&
            now->password == back.user_to.password && !back.user_to.last_change.empty())
            run_command(place, runner, {"chage", "-d", back.user_to.last_change, step.name});
    }
    carry_out_one(place, runner, back);
}

} // namespace

void carry_out(Place& place, Runner& runner, const std::vector<Step>& steps, const Around& around) {
    std::size_t begun = 0;
    try {
        around.before();
        while (begun < steps.size())
            carry_out_one(place, runner, steps[begun++]);
        around.after();
    } catch (const std::exception& failure) {
        const auto* problem = dynamic_cast<const Problem*>(&failure);
        const Status status = problem == nullptr ? Status::internal : problem->status();
        std::string services = around.before_back();
        std::string left;
        for (std::size_t i = begun; i-- > 0;) {
            try {
                take_back(place, runner, steps[i]);
            } catch (const std::exception& error) {
                left += (left.empty() ? "" : "; ") + std::string(error.what());
            }
        }
        if (const std::string more = around.after_back(); !more.empty())
            services += (services.empty() ? "" : "; ") + more;
        if (!services.empty())
            services = "; but a service does not run as before: " + services;
        if (!left.empty())
            stop(Status::io, "{}; TAKING IT BACK FAILED: {}; `pandora-gate setup --remove` tries again{}",
                 failure.what(), left, services);
        around.all_back();
        stop(status, "{}; everything was taken back, nothing is changed{}", failure.what(), services);
    }
}

} // namespace gate::ctl::setup
