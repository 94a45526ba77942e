// All that the checks look at and that costs something to get, gathered once.
#pragma once

#include "gatectl/context.h"
#include "gatectl/doctor/machine.h"
#include "gatectl/doctor/pam_facts.h"
#include "gatectl/doctor/sshd_facts.h"
#include "gatectl/publish/present.h"
#include "gatectl/store/store.h"

#include <optional>
#include <string>
#include <vector>

namespace gate::ctl::doctor {

struct User {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
    std::string home, shell;
    std::vector<gid_t> groups; // all of them

    [[nodiscard]] bool in(gid_t group) const;
};

// /etc/passwd and /etc/group; on the machine itself, then, the name service.
[[nodiscard]] std::optional<User> find_user(const Machine& machine, const std::string& name);
[[nodiscard]] std::optional<gid_t> find_gid(const Machine& machine, const std::string& group);
// The fields of the account's line in /etc/shadow; none: there is no line.
[[nodiscard]] std::vector<std::string> shadow_of(const Machine& machine, const std::string& name);

// Whether the mode's bits let the user do that (4 read, 2 write, 1 search or execute); root may all.
[[nodiscard]] bool may(const User& user, const struct stat& st, unsigned bits);

struct StoreFacts {
    bool missing = false;
    std::string wrong; // why it cannot be used
    Store::Publication published;
    std::size_t keys = 0;                             // that are not removed
    std::size_t active = 0;                           // and good now
    std::size_t fleet = 0;                            // good now, and no users of FTP
    std::vector<std::string> pending;                 // ids of keys that wait for the administrator
    std::int64_t window_from = 0;                     // of enrolment by password, while it is open
    std::int64_t window_until = 0;                    // 0: it is closed
    std::vector<std::string> weak, expiring, unbound; // ids, with a word
};

struct Facts {
    const Context& context;
    const Machine& machine;
    std::int64_t now = 0;
    keyring::Policy policy; // in force; without a keyring that of gate.toml, or the shipped
    Present keyring;
    std::string config_wrong;              // "FILE:LINE: ..."; empty: gate.toml can be read
    std::optional<keyring::Policy> config; // what gate.toml says now
    StoreFacts store;
    std::optional<User> account; // account.user
    SshdFacts sshd;
    PamFacts pam;

    [[nodiscard]] const std::string& user() const { return policy.account_user; }
};

[[nodiscard]] Facts gather(const Context& context, const Machine& machine);

} // namespace gate::ctl::doctor
