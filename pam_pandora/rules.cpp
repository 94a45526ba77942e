#include "pam_pandora/rules.h"

#include "pam_pandora/account.h"
#include "pam_pandora/explain.h"

#include <algorithm>

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

} // namespace

Verdict decide(const Options& options, const std::string& user) {
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
    if (!options.shells.empty() && !shell_allowed(account->shell, options.shells))
        return {Outcome::denied, "shell", "the login shell " + account->shell + " is not one of shell=",
                "give the user an allowed shell (usermod -s), or add the shell to shell="};
    return {Outcome::allowed};
}

} // namespace gate::pam
