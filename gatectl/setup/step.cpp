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

// "*", "!", "!!": no password fits. Everything else may be a hash, also behind a "!".
[[nodiscard]] bool tells_nothing(const std::string& password) {
    return password.size() < 2 || password.find_first_not_of("*!") == std::string::npos;
}

[[nodiscard]] Command add_group(const Step& step) {
    Command out = {"groupadd", "--system"};
    if (!step.gid.empty())
        out.insert(out.end(), {"-g", step.gid});
    out.push_back(step.name);
    return out;
}

void set_hash(std::vector<Command>& out, const Step& step) {
    if (!tells_nothing(step.user_to.password))
        out.push_back({"chpasswd", "-e"});
}

// Whatever sets a password sets the day of its last change to today.
void set_day(std::vector<Command>& out, const Step& step) {
    if (!step.user_to.last_change.empty())
        out.push_back({"chage", "-d", step.user_to.last_change, step.name});
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
            return {add_group(step)};
        return {{"groupdel", step.name}};
    }
    const UserState& from = step.user_from;
    const UserState& to = step.user_to;
    if (!to.exists)
        return {{"userdel", step.name}};
    std::vector<Command> out;
    if (!from.exists) {
        if (!step.gid.empty())
            out.push_back(add_group(step));
        const bool plain = step.secret_word.empty() && tells_nothing(to.password);
        Command add = {
            "useradd", "--system", "-M", "-d", to.home, "-s", to.shell, "-p", plain ? to.password : "*"};
        if (!step.uid.empty())
            add.insert(add.end(), {"-u", step.uid});
        if (to.group.empty() && step.gid.empty())
            add.emplace_back("--user-group");
        else
            add.insert(add.end(), {"-g", to.group.empty() ? step.name : to.group});
        if (to.member)
            add.insert(add.end(), {"-G", step.member_of});
        add.push_back(step.name);
        out.push_back(std::move(add));
        if (!step.secret_word.empty())
            out.push_back({"chpasswd"});
        else
            set_hash(out, step);
        set_day(out, step);
        return out;
    }
    Command change = {"usermod"};
    if (to.home != from.home)
        change.insert(change.end(), {"-d", to.home});
    if (to.shell != from.shell)
        change.insert(change.end(), {"-s", to.shell});
    if (to.password != from.password && tells_nothing(to.password))
        change.insert(change.end(), {"-p", to.password});
    if (change.size() > 1) {
        change.push_back(step.name);
        out.push_back(std::move(change));
    }
    if (to.password != from.password) {
        set_hash(out, step);
        set_day(out, step);
    }
    if (to.member && !from.member)
        out.push_back({"usermod", "-a", "-G", step.member_of, step.name});
    if (from.member && !to.member)
        out.push_back({"gpasswd", "-d", step.name, step.member_of});
    return out;
}

std::string input_of(const Step& step, const Command& command) {
    if (command[0] != "chpasswd")
        return {};
    return step.name + ':' + (command.size() == 1 ? step.secret_word : step.user_to.password) + '\n';
}

Command shown(Command command) {
    for (std::size_t i = 1; i + 1 < command.size(); ++i)
        if (command[i] == "-p" && !tells_nothing(command[i + 1]))
            command[i + 1] = "...";
    return command;
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
        if (command == Command{"chpasswd"})
            out += fmt::format("{}give {} a password of its own\n", dry_run ? "would " : "", step.name);
        else
            out += fmt::format("{}run: {}{}\n", dry_run ? "would " : "", words_of(shown(command)),
                               command[0] == "chpasswd" ? ", with the hash of " + step.name : "");
    }
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
