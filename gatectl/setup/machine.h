// What setup found: which family of distributions, which sshd, who is who, and what gate.toml asks for.
#pragma once

#include "gatectl/setup/accounts.h"
#include "gatectl/setup/place.h"
#include "gatectl/setup/runner.h"
#include "lib/keyring/policy.h"

#include <string>

namespace gate::ctl::setup {

struct Machine {
    enum class Layout { debian, rpm };
    Layout layout = Layout::debian;
    bool systemd = false; // it runs here
    std::string sshd{};   // its path; empty: there is none
    int sshd_version = 0; // 902 is 9.2
    unsigned processors = 1;
    Accounts accounts{};
    keyring::Policy policy{};
    // Has the account a group of its own (or will it)? On RPM systems Pandora FMS makes it without.
    bool own_group = true;

    [[nodiscard]] bool debian() const { return layout == Layout::debian; }
    [[nodiscard]] const char* ssh_unit() const { return debian() ? "ssh.service" : "sshd.service"; }
    [[nodiscard]] const char* web_group() const { return debian() ? "www-data" : "apache"; }
    [[nodiscard]] const std::string& account() const { return policy.account_user; }
    // "group=pandora", or "user=pandora": what the PAM lines say.
    [[nodiscard]] std::string who() const;
    // The group that files of the account have: its name.
    [[nodiscard]] std::string account_group() const;
};

// Throws Problem: a layout that is neither, an account in a directory service.
[[nodiscard]] Machine look_at_machine(const Place& place, Runner& runner, const keyring::Policy& policy);

// "OpenSSH_9.2p1 Debian-2..." -> 902; 0: it does not say.
[[nodiscard]] int parse_sshd_version(const std::string& text);

} // namespace gate::ctl::setup
