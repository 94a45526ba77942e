#include "gatectl/setup/remove.h"

#include "gatectl/problem.h"
#include "gatectl/setup/lives.h"
#include "lib/base/text.h"

#include <algorithm>

namespace gate::ctl::setup {

namespace {

using Kind = PathState::Kind;
constexpr const char* k_sweep_unit = "/etc/systemd/system/pandora-gate-sweep.service";

// Owner and mode count as well as the bytes.
[[nodiscard]] bool is_as_setup_left_it(const PathState& now, const Entry& entry, const Accounts& accounts) {
    const Step& step = entry.step;
    if (now.kind != step.to.kind)
        return false;
    if (now.kind == Kind::link)
        return now.content == step.to.content;
    if (now.kind != Kind::file && now.kind != Kind::directory)
        return true;
    const bool same = now.mode == step.to.mode && accounts.uid(step.owner) == now.uid &&
                      accounts.gid(step.group) == now.gid;
    return same && (now.kind == Kind::directory || sum_of(now.content) == entry.sum);
}

[[nodiscard]] bool will_be_empty(const Place& place, const std::string& path,
                                 const std::set<std::string>& gone) {
    const auto names = place.names(path);
    return std::all_of(names.begin(), names.end(),
                       [&](const std::string& name) { return gone.contains(path + '/' + name); });
}

[[nodiscard]] std::optional<Step> restoring_path(const Place& place, const Accounts& accounts,
                                                 const Entry& entry, bool force,
                                                 std::vector<std::string>& left,
                                                 const std::set<std::string>& gone) {
    Step step = entry.step;
    const PathState now = place.look(step.name);
    PathState was = entry.step.from;
    if (now == was)
        return std::nullopt;
    const bool ours = !entry.edited && is_as_setup_left_it(now, entry, accounts);
    if (now.kind == Kind::directory && was.kind == Kind::absent && !will_be_empty(place, step.name, gone)) {
        // Somebody's files: and whose they are must not become somebody else's number.
        if (step.owner != "root" && !step.name.starts_with("/run/"))
            left.push_back(escape_visible(step.name) + " holds files");
        return std::nullopt;
    }
    if (!ours && step.data)
        return std::nullopt;
    if (!ours && !force) {
        left.push_back(fmt::format("{} was changed since: put back by hand what should stay, or use --force",
                                   escape_visible(step.name)));
        return std::nullopt;
    }
    step.from = now;
    step.to = std::move(was);
    step.owner = std::to_string(step.to.uid);
    step.group = std::to_string(step.to.gid);
    return step;
}

[[nodiscard]] std::optional<Step> restoring_user(const Place& place, const Accounts& accounts,
                                                 const Entry& entry, bool force,
                                                 std::vector<std::string>& left,
                                                 const std::set<std::string>& gone) {
    Step step = entry.step;
    const UserState was = step.user_from;
    const UserState set = step.user_to;
    const User* found = accounts.user(step.name);
    if (found == nullptr)
        return std::nullopt;
    const Group* group = accounts.group(step.member_of);
    UserState now{.exists = true,
                  .group = accounts.group_name(found->gid),
                  .home = found->home,
                  .shell = found->shell,
                  .password = found->password,
                  .last_change = found->last_change,
                  .member = group != nullptr && accounts.is_member(*found, *group)};
    if (!was.exists) {
        // The sweep is the account's, and is stopped before anything is taken back.
        const bool stops = gone.contains(k_sweep_unit) && place.exists("/run/systemd/system");
        if (runs_anything(place, found->uid, stops ? "sweep" : "")) {
            left.push_back("the user " + step.name + " runs something");
            return std::nullopt;
        }
        step.uid = std::to_string(found->uid);
        if (now.group == step.name && set.group.empty()) { // userdel takes it along
            now.group.clear();
            step.gid = std::to_string(found->gid);
        }
        step.user_from = now;
        step.user_to = {};
        return step;
    }
    UserState to = now;
    const auto restore = [&](std::string UserState::*field, const char* what) {
        if (now.*field == set.*field || force || now.*field == was.*field)
            to.*field = was.*field;
        else
            left.push_back(fmt::format("the {} of {} was changed since", what, step.name));
    };
    restore(&UserState::home, "home");
    // usermod does not change the home of a user who runs something.
    if (to.home != now.home && runs_anything(place, found->uid)) {
        left.push_back(
            fmt::format("the home of {}, of which processes run: say this again without them", step.name));
        to.home = now.home;
    }
    restore(&UserState::shell, "login shell");
    restore(&UserState::password, "password");
    if (to.password == was.password)
        to.last_change = was.last_change;
    if (now.member == set.member)
        to.member = was.member;
    now.last_change = to.password == now.password ? to.last_change : now.last_change;
    step.user_from = now;
    step.user_to = to;
    return now == to ? std::nullopt : std::optional(step);
}

} // namespace

std::optional<Step> restoring(const Place& place, const Accounts& accounts, const Entry& entry, bool force,
                              std::vector<std::string>& left, const std::set<std::string>& gone) {
    if (entry.step.kind == Step::Kind::path)
        return restoring_path(place, accounts, entry, force, left, gone);
    if (entry.step.kind == Step::Kind::user)
        return restoring_user(place, accounts, entry, force, left, gone);
    const Group* group = accounts.group(entry.step.name);
    if (group == nullptr)
        return std::nullopt;
    Step step = reversed(entry.step);
    step.gid = std::to_string(group->gid);
    return step;
}

Removal plan_removal(const Place& place, const Manifest& manifest, const Request& request) {
    Removal out;
    const Accounts accounts = read_accounts(place);
    const bool others_stay =
        std::any_of(manifest.entries.begin(), manifest.entries.end(),
                    [&](const Entry& e) { return e.step.part != "account" && !request.wants(e.step.part); });
    if (others_stay && request.wants("account"))
        stop(Status::refused, "ssh or ftp is still set up for the account: remove that first, or all of it "
                              "with `pandora-gate setup --remove`");
    std::set<std::string> gone;
    for (std::size_t i = manifest.entries.size(); i-- > 0;) {
        const Entry& entry = manifest.entries[i];
        if (!request.wants(entry.step.part))
            continue;
        const bool account = entry.step.kind != Step::Kind::path;
        // A PAM line or an sshd setting that stays and names a group that is gone refuses everybody.
        if (account && !out.left.empty()) {
            out.left.push_back(fmt::format("the {} {}, which what is left may name",
                                           entry.step.kind == Step::Kind::user ? "user" : "group",
                                           entry.step.name));
            continue;
        }
        const std::size_t before = out.left.size();
        if (auto step = restoring(place, accounts, entry, request.force, out.left, gone)) {
            if (step->kind == Step::Kind::path && step->to.kind == Kind::absent)
                gone.insert(step->name);
            out.steps.push_back(std::move(*step));
        }
        if (out.left.size() == before)
            out.settled.emplace_back(entry.step.kind, entry.step.name);
    }
    return out;
}

} // namespace gate::ctl::setup
