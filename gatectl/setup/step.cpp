#include "gatectl/setup/step.h"

#include "gatectl/setup/diff.h"
#include "gatectl/setup/runner.h"
#include "lib/base/text.h"

#include <fmt/format.h>
#include <utility>

namespace gate::ctl::setup {

namespace {

using Kind = PathState::Kind;

[[nodiscard]] bool same_owner(const Step& step, const Accounts& accounts) {
    return accounts.uid(step.owner) == step.from.uid && accounts.gid(step.group) == step.from.gid;
}

[[nodiscard]] std::string look_of(const PathState& state, const std::string& owner,
                                  const std::string& group) {
    return fmt::format("{}:{} {:04o}", owner, group, state.mode);
}

[[nodiscard]] std::string line_of_path(const Step& step, const Accounts& accounts) {
    const std::string name = escape_visible(step.name);
    const std::string before =
        look_of(step.from, accounts.user_name(step.from.uid), accounts.group_name(step.from.gid));
    const std::string after = look_of(step.to, step.owner, step.group);
    switch (step.to.kind) {
    case Kind::directory:
        return step.from.kind == Kind::absent ? fmt::format("make directory {} {}", name, after)
                                              : fmt::format("change {} {} -> {}", name, before, after);
    case Kind::link:
        return fmt::format("link {} -> {}", name, escape_visible(step.to.content));
    case Kind::file:
        if (step.secret || step.make)
            return fmt::format("write {} {}", name, after);
        if (step.from.kind == Kind::file && step.from.content == step.to.content)
            return fmt::format("change {} {} -> {}", name, before, after);
        if (step.to.content.empty())
            return fmt::format("write {} {}, empty", name, after);
        return {};
    case Kind::absent:
        return fmt::format("remove {}", name);
    case Kind::other:
        break;
    }
    return {};
}

} // namespace

bool changes_nothing(const Step& step, const Accounts& accounts) {
    switch (step.kind) {
    case Step::Kind::group:
        return step.group_before == step.group_after;
    case Step::Kind::user:
        return step.user_from == step.user_to;
    case Step::Kind::path:
        break;
    }
    if (step.from.kind != step.to.kind)
        return false;
    switch (step.to.kind) {
    case Kind::file:
        return !step.make && step.from.content == step.to.content && step.from.mode == step.to.mode &&
               same_owner(step, accounts);
    case Kind::directory:
        return step.from.mode == step.to.mode && same_owner(step, accounts);
    case Kind::link:
        return step.from.content == step.to.content;
    default:
        return true;
    }
}

std::vector<Command> commands_of(const Step& step) {
    if (step.kind == Step::Kind::group) {
        if (step.group_after)
            return {{"groupadd", "--system", step.name}};
        return {{"groupdel", step.name}};
    }
    const UserState& from = step.user_from;
    const UserState& to = step.user_to;
    if (!to.exists)
        return {{"userdel", step.name}};
    std::vector<Command> out;
    if (!from.exists) {
        Command add = {"useradd", "--system", "-M",
                       "-d",      to.home,    "-s",
                       to.shell,  "-p",       step.secret_word.empty() ? to.password : "*"};
        if (to.group.empty())
            add.emplace_back("--user-group");
        else
            add.insert(add.end(), {"-g", to.group});
        if (to.member)
            add.insert(add.end(), {"-G", step.member_of});
        add.push_back(step.name);
        out.push_back(std::move(add));
        return out;
    }
    Command change = {"usermod"};
    if (to.home != from.home)
        change.insert(change.end(), {"-d", to.home});
    if (to.shell != from.shell)
        change.insert(change.end(), {"-s", to.shell});
    if (to.password != from.password)
        change.insert(change.end(), {"-p", to.password});
    if (change.size() > 1) {
        change.push_back(step.name);
        out.push_back(std::move(change));
    }
    // usermod sets the day of the last change to today.
    if (to.password != from.password && !to.last_change.empty())
        out.push_back({"chage", "-d", to.last_change, step.name});
    if (to.member && !from.member)
        out.push_back({"usermod", "-a", "-G", step.member_of, step.name});
    if (from.member && !to.member)
        out.push_back({"gpasswd", "-d", step.name, step.member_of});
    return out;
}

std::string describe_step(const Step& step, const Accounts& accounts, bool dry_run) {
    if (step.kind == Step::Kind::path) {
        if (const std::string line = line_of_path(step, accounts); !line.empty())
            return (dry_run ? "would " : "") + line + '\n';
        const std::string name = escape_visible(step.name);
        const bool made = step.from.kind != Kind::file;
        std::string text = unified_diff(made ? "/dev/null" : name, name, step.from.content, step.to.content);
        if (made || step.from.mode != step.to.mode || !same_owner(step, accounts))
            text += fmt::format("# {} {}\n", name, look_of(step.to, step.owner, step.group));
        return text;
    }
    std::string out;
    for (const Command& command : commands_of(step)) {
        Command shown = command;
        // A hash is a secret of a kind.
        for (std::size_t i = 1; i + 1 < shown.size(); ++i)
            if (shown[i] == "-p" && shown[i + 1].size() > 1)
                shown[i + 1] = "...";
        out += (dry_run ? "would run: " : "run: ") + words_of(shown) + '\n';
    }
    if (!step.secret_word.empty())
        out += fmt::format("{}give {} a password of its own\n", dry_run ? "would " : "", step.name);
    return out;
}

const char* verb_of(const Step& step) {
    const bool before = step.kind == Step::Kind::path    ? step.from.kind != Kind::absent
                        : step.kind == Step::Kind::group ? step.group_before
                                                         : step.user_from.exists;
    const bool after = step.kind == Step::Kind::path    ? step.to.kind != Kind::absent
                       : step.kind == Step::Kind::group ? step.group_after
                                                        : step.user_to.exists;
    return !before ? "create" : after ? "change" : "remove";
}

Step reversed(const Step& step) {
    Step out = step;
    std::swap(out.from, out.to);
    std::swap(out.group_before, out.group_after);
    std::swap(out.user_from, out.user_to);
    out.make = {};
    out.secret_word.clear();
    out.owner = std::to_string(out.to.uid);
    out.group = std::to_string(out.to.gid);
    return out;
}

} // namespace gate::ctl::setup
