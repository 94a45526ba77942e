#include "gatectl/setup/machine.h"

#include "gatectl/account.h"
#include "gatectl/problem.h"
#include "lib/base/text.h"

#include <algorithm>
#include <cctype>
#include <thread>

namespace gate::ctl::setup {

namespace {

[[nodiscard]] Machine::Layout layout_of(const Place& place) {
    if (place.exists("/etc/pam.d/common-account"))
        return Machine::Layout::debian;
    if (place.exists("/etc/pam.d/password-auth"))
        return Machine::Layout::rpm;
    stop(Status::refused,
         "/etc/pam.d has neither common-account (Debian) nor password-auth (Fedora, RHEL): setup knows no "
         "others; pandora-gate(8), pam_pandora(8) and the files in /usr/share/pandora-gate say what it does");
}

// The names go into configuration files, and to programs.
void demand_plain_name(const std::string& name, const char* setting) {
    const auto plain = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
    };
    if (name.empty() || name.size() > 32 || name.front() == '-' || name == "root" ||
        !std::all_of(name.begin(), name.end(), plain))
        stop(Status::bad_data, "{} of gate.toml: setup makes no such account: {}", setting,
             escape_visible(name));
}

} // namespace

std::string Machine::who() const {
    return own_group ? "group=" + policy.account_group : "user=" + policy.account_user;
}

std::string Machine::account_group() const {
    if (own_group)
        return policy.account_group;
    const User* user = accounts.user(account());
    return user == nullptr ? "root" : accounts.group_name(user->gid);
}

int parse_sshd_version(const std::string& text) {
    constexpr std::string_view k_name = "OpenSSH_";
    const std::size_t at = text.find(k_name);
    if (at == std::string::npos)
        return 0;
    int part[2] = {0, 0};
    int which = 0;
    for (std::size_t i = at + k_name.size(); i < text.size(); ++i) {
        const char c = text[i];
        if (c >= '0' && c <= '9' && part[which] < 100)
            part[which] = part[which] * 10 + (c - '0');
        else if (c == '.' && which == 0)
            which = 1;
        else
            break;
    }
    return part[0] * 100 + part[1];
}

Machine look_at_machine(const Place& place, Runner& runner, const keyring::Policy& policy) {
    Machine out;
    out.layout = layout_of(place);
    out.policy = policy;
    demand_plain_name(policy.account_user, "account.user");
    demand_plain_name(policy.account_group, "account.group");
    out.systemd = place.exists("/run/systemd/system");
    out.processors = std::max(1U, std::thread::hardware_concurrency());
    out.accounts = read_accounts(place);
    const User* user = out.accounts.user(policy.account_user);
    if (user == nullptr && place.is_machine() && find_account(policy.account_user))
        stop(Status::refused,
             "{} is an account of a directory service, not of /etc/passwd: change its shell, home and "
             "password there (pandora-gate(8), setup)",
             policy.account_user);
    if (user != nullptr && user->uid == 0)
        stop(Status::refused, "{} is root by its number: setup does not touch it", policy.account_user);
    out.own_group = user == nullptr || out.accounts.group(policy.account_group) != nullptr || user->gid != 0;
    out.sshd = place.program("sshd");
    if (!out.sshd.empty())
        out.sshd_version = parse_sshd_version(runner.run({out.sshd, "-V"}).text);
    return out;
}

} // namespace gate::ctl::setup
