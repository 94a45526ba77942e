#include "gatectl/setup/lives.h"

#include "gatectl/setup/plan.h"
#include "lib/base/text.h"

#include <algorithm>
#include <fmt/format.h>
#include <functional>

namespace gate::ctl::setup {

namespace {

constexpr std::size_t k_shown = 60; // of a line; the whole of it stands in its file

[[nodiscard]] std::string cut(const std::string& text) {
    return escape_visible(text, k_shown);
}

[[nodiscard]] std::string uid_of(const std::string& status) {
    for (const std::string& line : lines(status))
        if (line.starts_with("Uid:"))
            if (const auto word = words(line); word.size() > 1)
                return word[1];
    return {};
}

class Search {
  public:
    Search(const Place& place, const Machine& machine, const Request& request)
        : place_(place), account_(machine.account()), user_(machine.accounts.user(account_)),
          machine_(machine), request_(request) {}

    [[nodiscard]] std::vector<Life> all() {
        if (user_ != nullptr) {
            processes();
            crontabs();
            at_jobs();
            keys();
            members();
        }
        scripts();
        units();
        high_availability();
        return std::move(found_);
    }

  private:
    void add(const std::string& kind, const std::string& where, const std::string& what,
             const std::string& effect, bool breaks) {
        const std::string name = kind + ':' + escape_visible(where);
        for (Life& life : found_)
            if (life.name == name) { // one file, several lines: the worst of them
                if (breaks && !life.breaks)
                    life = {name, cut(what), effect, true};
                return;
            }
        found_.push_back({name, cut(what), effect, breaks});
    }

    void processes() {
        for (const std::string& pid : place_.names("/proc")) {
            if (pid.find_first_not_of("0123456789") != std::string::npos)
                continue;
            const auto status = place_.text("/proc/" + pid + "/status");
            if (!status || uid_of(*status) != std::to_string(user_->uid))
                continue;
            const auto word = words(lines(*status).front());
            const std::string name = word.size() > 1 ? word[1] : pid;
            if (name != "drop" && name != "sweep" && !name.starts_with("sshd"))
                add("process", name, "runs as process " + pid, "goes on; how it is started matters", false);
        }
    }

    // It goes by PAM's service cron; a crontab's commands are run by /bin/sh.
    void crontabs() {
        constexpr const char* k_effect = "services= keeps cron from running anything as the account";
        for (const std::string directory : {"/var/spool/cron/crontabs/", "/var/spool/cron/"})
            if (const std::string path = directory + account_; place_.text(path))
                add("cron", path, "its crontab", k_effect, ssh());
        std::vector<std::string> files = {"/etc/crontab"};
        for (const std::string& name : place_.names("/etc/cron.d"))
            files.push_back("/etc/cron.d/" + name);
        for (const std::string& file : files)
            for (const std::string& line : lines(place_.text(file).value_or(""))) {
                const auto word = words(line);
                if (word.empty() || word[0].front() == '#' || word[0].find('=') != std::string::npos)
                    continue;
                const std::size_t who = word[0].front() == '@' ? 1 : 5;
                if (word.size() > who && word[who] == account_)
                    add("cron", file, line, k_effect, ssh());
            }
    }

    void at_jobs() {
        for (const std::string directory : {"/var/spool/cron/atjobs", "/var/spool/at"})
            for (const std::string& name : place_.names(directory)) {
                const PathState job = place_.look(directory + '/' + name);
                if (job.kind == PathState::Kind::file && job.uid == user_->uid)
                    add("at", directory + '/' + name, "a job of at",
                        "services= keeps atd from running anything as the account", ssh());
            }
    }

    // Keys of sshd's own kind: agents that deliver today.
    void keys() {
        if (user_->home.empty() || place_.exists(GATE_STATEDIR "/keyring"))
            return;
        for (const char* name : {"/.ssh/authorized_keys", "/.ssh/authorized_keys2"}) {
            std::size_t count = 0;
            for (const std::string& line : lines(place_.text(user_->home + name).value_or("")))
                count += !words(line).empty() && words(line)[0].front() != '#' ? 1U : 0U;
            if (count != 0)
                add("keys", user_->home + name, fmt::format("{} key(s)", count),
                    "is read no more: take them over first (pandora-gate keys import)", ssh());
        }
    }

    void members() {
        const Group* group =
            machine_.own_group ? machine_.accounts.group(machine_.policy.account_group) : nullptr;
        if (group == nullptr)
            return;
        for (const User& user : machine_.accounts.users) {
            const bool harmless = user.name == account_ || user.shell.ends_with("/nologin") ||
                                  user.shell.ends_with("/false") || user.uid == 0;
            if (!harmless && machine_.accounts.is_member(user, *group))
                add("member", user.name, "is in group " + group->name + ", with shell " + user.shell,
                    "the rules bind the whole group: refused by sshd, su, login and cron; take it out of "
                    "the group",
                    ssh());
        }
    }

    void scripts() {
        std::vector<std::string> files = {"/etc/rc.local", "/etc/rc.d/rc.local"};
        for (const char* directory : {"/etc/init.d", "/etc/rc.d/init.d", "/etc/cron.hourly",
                                      "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly"})
            for (const std::string& name : place_.names(directory))
                files.push_back(std::string(directory) + '/' + name);
        for (const std::string& file : files)
            commands_in("script", file, place_.text(file).value_or(""));
        for (const std::string& file : {std::string("/etc/crontab")})
            commands_in("script", file, place_.text(file).value_or(""));
        for (const std::string& name : place_.names("/etc/cron.d"))
            commands_in("script", "/etc/cron.d/" + name, place_.text("/etc/cron.d/" + name).value_or(""));
    }

    // su, sudo and runuser with the account behind them.
    void commands_in(const char* kind, const std::string& file, const std::string& text) {
        for (const std::string& line : lines(text)) {
            auto word = words(line);
            if (word.empty() || word[0].front() == '#')
                continue;
            for (std::string& one : word) // quotes, and what a shell puts beside a word
                std::erase_if(one, [](char c) {
                    return std::string_view("\"';&|()`{}$").find(c) != std::string_view::npos;
                });
            for (std::size_t i = 0; i < word.size(); ++i) {
                const std::string program = word[i].substr(word[i].rfind('/') + 1);
                if (program == "su" || program == "sudo" || program == "runuser")
                    one_command(kind, file, line, program,
                                {word.begin() + static_cast<std::ptrdiff_t>(i) + 1, word.end()});
            }
        }
    }

    void one_command(const char* kind, const std::string& file, const std::string& line,
                     const std::string& program, const std::vector<std::string>& rest) {
        const auto said = [&rest](std::string_view option) {
            return std::find(rest.begin(), rest.end(), option) != rest.end();
        };
        bool names = said(account_);
        for (const std::string& word : rest)
            names = names || word == "-u" + account_ || word == "--user=" + account_;
        if (!names)
            return;
        if (program == "su")
            return add(kind, file, line,
                       "services= refuses su to the account, root's too; use setpriv or User= of a unit",
                       true);
        const bool direct = program == "runuser" ? said("-u") || said("--user=" + account_)
                                                 : !said("-i") && !said("-s") && !said("--login");
        if (direct)
            return add(kind, file, line, "goes on: " + program + " starts the program itself", false);
        add(kind, file, line, "its login shell takes packets only: the command is refused", true);
    }

    void units() {
        for (const std::string directory :
             {"/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"})
            for (const std::string& name : place_.names(directory)) {
                if (!name.ends_with(".service"))
                    continue;
                const std::string text = place_.text(directory + '/' + name).value_or("");
                bool runs = false;
                bool pam = false;
                for (const std::string& line : lines(text)) {
                    runs = runs || line == "User=" + account_;
                    pam = pam || line.starts_with("PAMName=");
                    if (line.starts_with("Exec"))
                        commands_in("unit", name, line.substr(std::min(line.find('=') + 1, line.size())));
                }
                if (runs)
                    add("unit", name, "User=" + account_,
                        pam ? "PAMName=: services= may refuse it"
                            : "goes on: systemd asks neither the shell nor PAM",
                        pam && ssh());
            }
    }

    void high_availability() {
        for (const std::string& line : lines(place_.text("/etc/pandora/pandora_server.conf").value_or(""))) {
            const auto word = words(line);
            if (word.size() > 1 && word[0] == "ha_sshuser" && word[1] == account_)
                add("ha", "ha_sshuser", line,
                    "the cluster's own ssh as the account is refused: give it another user", true);
        }
    }

    [[nodiscard]] bool ssh() const { return request_.wants("ssh"); }

    const Place& place_;
    const std::string account_;
    const User* user_;
    const Machine& machine_;
    const Request& request_;
    std::vector<Life> found_{};
};

} // namespace

std::vector<Life> find_lives(const Place& place, const Machine& machine, const Request& request) {
    return Search(place, machine, request).all();
}

bool runs_anything(const Place& place, uid_t uid, const std::string& but) {
    for (const std::string& pid : place.names("/proc")) {
        if (pid.find_first_not_of("0123456789") != std::string::npos)
            continue;
        const auto status = place.text("/proc/" + pid + "/status");
        if (!status || uid_of(*status) != std::to_string(uid))
            continue;
        const auto name = words(lines(*status).front());
        if (but.empty() || name.size() < 2 || name[1] != but)
            return true;
    }
    return false;
}

} // namespace gate::ctl::setup
