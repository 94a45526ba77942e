#include "gatectl/setup/plan.h"

#include "gatectl/problem.h"
#include "lib/base/text.h"

namespace gate::ctl::setup {

using Kind = PathState::Kind;

namespace {

[[nodiscard]] Step path_step(const Plan& plan, const std::string& path) {
    return {.kind = Step::Kind::path, .part = plan.part, .name = path, .from = plan.place.look(path)};
}

void demand(const Step& step, Kind kind, const char* word) {
    if (step.from.kind != Kind::absent && step.from.kind != kind)
        stop(Status::refused, "{} is no {}: setup does not touch it; move it away first",
             escape_visible(step.name), word);
}

} // namespace

Step& Plan::file(const std::string& path, std::string content, mode_t mode) {
    Step step = path_step(*this, path);
    demand(step, Kind::file, "plain file");
    step.to = {.kind = Kind::file, .content = std::move(content), .mode = mode};
    if (step.from.kind == Kind::file) { // one that is there keeps what the administrator gave it
        step.to.mode = step.from.mode;
        step.owner = machine.accounts.user_name(step.from.uid);
        step.group = machine.accounts.group_name(step.from.gid);
    }
    return steps.emplace_back(std::move(step));
}

Step& Plan::directory(const std::string& path, const std::string& owner, const std::string& group,
                      mode_t mode) {
    Step step = path_step(*this, path);
    demand(step, Kind::directory, "directory");
    step.to = {.kind = Kind::directory, .mode = mode};
    step.owner = owner;
    step.group = group;
    return steps.emplace_back(std::move(step));
}

Step& Plan::link(const std::string& path, const std::string& target) {
    Step step = path_step(*this, path);
    demand(step, Kind::link, "link");
    step.to = {.kind = Kind::link, .content = target};
    return steps.emplace_back(std::move(step));
}

Step& Plan::make_group(const std::string& name) {
    Step step{.kind = Step::Kind::group, .part = part, .name = name};
    step.group_before = machine.accounts.group(name) != nullptr;
    step.group_after = true;
    return steps.emplace_back(std::move(step));
}

Step& Plan::user(const std::string& name, const UserState& wanted) {
    Step step{.kind = Step::Kind::user, .part = part, .name = name};
    step.member_of = machine.account_group();
    step.user_from = state_of(name, step.member_of);
    step.user_to = wanted;
    return steps.emplace_back(std::move(step));
}

UserState Plan::state_of(const std::string& name, const std::string& group) const {
    const User* found = machine.accounts.user(name);
    if (found == nullptr)
        return {};
    const Group* own = machine.accounts.group(group);
    return {.exists = true,
            .group = machine.accounts.group_name(found->gid),
            .home = found->home,
            .shell = found->shell,
            .password = found->password,
            .last_change = found->last_change,
            .member = own != nullptr && machine.accounts.is_member(*found, *own)};
}

void Plan::unit(const std::string& name) {
    const std::string path = "/etc/systemd/system/" + name;
    file(path, shipped("systemd/" + name));
    // What `systemctl enable` does; a link, so that it can be taken back to the byte, also where systemd does
    // not run.
    if (!place.exists("/etc/systemd/system/multi-user.target.wants"))
        directory("/etc/systemd/system/multi-user.target.wants", "root", "root", 0755);
    link("/etc/systemd/system/multi-user.target.wants/" + name, path);
}

// A line that names a module that PAM cannot load refuses everybody, the administrators too.
void Plan::demand_module() const {
    std::vector<std::string> directories = {"/lib/security", "/lib64/security", "/usr/lib/security",
                                            "/usr/lib64/security"};
    for (const std::string above : {"/lib/", "/usr/lib/"}) // Debian's multiarch
        for (const std::string& name : place.names(above))
            directories.push_back(above + name + "/security");
    bool found = false;
    for (const std::string& directory : directories) {
        const std::string path = directory + "/pam_pandora.so";
        const PathState module = place.look_outside(path);
        if (module.kind == Kind::absent)
            continue;
        if (module.kind != Kind::file || module.uid != 0 || (module.mode & 0022) != 0)
            stop(Status::no_input,
                 "{} is not a file that only root can write: install the package libpam-pandora again", path);
        found = true;
    }
    if (!found)
        stop(Status::no_input, "pam_pandora.so is in none of PAM's directories, and the lines in /etc/pam.d "
                               "would name it: install the package libpam-pandora first");
}

std::string Plan::shipped(const std::string& name) const {
    auto text = place.text(k_share + name);
    if (!text || text->empty())
        stop(Status::no_input, "{}{} is missing: install the package first", k_share, name);
    return std::move(*text);
}

} // namespace gate::ctl::setup
