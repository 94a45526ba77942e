#include "pam_pandora/rules.h"

#include "pam_pandora/account.h"
#include "pam_pandora/deny.h"
#include "pam_pandora/explain.h"

#include <algorithm>
#include <optional>

namespace gate::pam {

namespace {

Verdict not_found_or_failed(const Error& error) {
    if (error.code == Errc::not_found)
        return {Outcome::unknown, "passwd", explain(error), "create the account, or correct the name"};
    return {Outcome::error, "passwd", explain(error), "repair the name service (getent passwd)"};
}

Verdict group_failed(const Options& options, const Error& error) {
    std::string reason = explain(error) + " (" + options.group + ")";
    if (error.code == Errc::not_found)
        return {Outcome::error, "group", std::move(reason),
                "create the group, or take group= off the PAM line"};
    return {Outcome::error, "group", std::move(reason), "repair the name service (getent group)"};
}

bool has(const std::vector<std::string>& list, const std::string& value) {
    return std::ranges::find(list, value) != list.end();
}

// What each rule that is asked about every login says; nullopt: nothing against it.

std::optional<Verdict> wrong_service(const Options& options, const Login& login) {
    if (options.services.empty() || has(options.services, std::string(login.service)))
        return std::nullopt;
    if (login.service.empty())
        return Verdict{Outcome::denied, "services", "the service does not say what it is called",
                       "see the service's log"};
    return Verdict{Outcome::denied, "services", "the user may not use service " + std::string(login.service),
                   "use one of services=, or add the service to it"};
}

std::optional<Verdict> wrong_peer(const Options& options, const Login& login) {
    if (options.networks.empty())
        return std::nullopt;
    if (login.rhost.empty())
        return Verdict{Outcome::denied, "rhost", "the service does not say where the user comes from",
                       "log in over the network, or take rhost= off the PAM line"};
    const auto peer = parse_peer(login.rhost);
    if (!peer)
        return Verdict{Outcome::denied, "rhost",
                       "the service gives no address but a name, " + std::string(login.rhost),
                       "let it give addresses: UseDNS no in sshd_config"};
    if (inside(*peer, options.networks))
        return std::nullopt;
    return Verdict{Outcome::denied, "rhost",
                   "the address " + std::string(login.rhost) + " is in none of the networks of rhost=",
                   "log in from one of them, or add the network to rhost="};
}

std::optional<Verdict> listed(const Options& options, const Login& login, const Account& account) {
    if (options.deny.empty())
        return std::nullopt;
    const auto answer = file_lists(options.deny, login.user, account.name);
    if (!answer) {
        if (answer.error().code == Errc::missing && options.missing_deny_is_empty)
            return std::nullopt;
        return Verdict{Outcome::error, "deny", explain(answer.error()) + " (" + options.deny + ")",
                       "make deny= a file of root that nobody else may write, with a user name a line"};
    }
    if (!*answer)
        return std::nullopt;
    return Verdict{Outcome::denied, "deny", "the user is listed in " + options.deny,
                   "take the user off that list"};
}

} // namespace

Verdict decide(const Options& options, const Login& login) {
    const std::string& user = login.user;
    if (!valid_name(user))
        return {Outcome::unknown, "name", "not a possible user name", "use the account's name"};
    const auto account = find_account(user);
    if (!account)
        return not_found_or_failed(account.error());

    const bool named = has(options.users, user) || has(options.users, account->name);
    bool member = false;
    if (!options.group.empty()) {
        const auto answer = is_member(*account, options.group);
        if (!answer)
            return group_failed(options, answer.error());
        member = *answer;
    }
    if (options.scope == Scope::members && !named && !member)
        return {Outcome::outside};

    if (!options.users.empty() && !named)
        return {Outcome::denied, "user",
                "the user is not named by user=", "add the user to user= on the PAM line"};
    if (!options.group.empty() && !member)
        return {Outcome::denied, "group", "the user is not a member of group " + options.group,
                "add the user to the group (usermod -aG)"};
    if (auto verdict = wrong_service(options, login))
        return std::move(*verdict);
    if (auto verdict = wrong_peer(options, login))
        return std::move(*verdict);
    if (auto verdict = listed(options, login, *account))
        return std::move(*verdict);
    if (!options.shells.empty() && !shell_allowed(account->shell, options.shells))
        return {Outcome::denied, "shell", "the login shell " + account->shell + " is not one of shell=",
                "give the user an allowed shell (usermod -s), or add the shell to shell="};
    return {Outcome::allowed};
}

} // namespace gate::pam
