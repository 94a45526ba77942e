// OpenSSH's own clients with the one key against the one server: ssh, scp and sftp, by their absolute paths,
// without the user's configuration, without questions, and not for longer than k_patience_ms each.
#pragma once

#include "gatectl/probe/child.h"
#include "gatectl/probe/commands.h"
#include "gatectl/probe/scratch_directory.h"

#include <string>
#include <vector>

namespace gate::ctl {

class SshClient {
  public:
    // A server that is busy answers within seconds; nothing that is tried takes long.
    static constexpr int k_patience_ms = 20'000;
    using Words = std::vector<std::string>;

    // Throws Problem (no_input, unavailable) if there is no such key, or no client.
    SshClient(const ProbeRequest& request, const ScratchDirectory& scratch);

    // `options` come before all others, and the first of two counts.
    [[nodiscard]] ChildRequest ssh_request(const Words& options, const Words& command, std::string input = {},
                                           const Words& environment = {}) const;
    [[nodiscard]] Ran ssh(const Words& options, const Words& command, std::string input = {},
                          const Words& environment = {}) const;
    // A batch: the first command that fails ends it.
    [[nodiscard]] Ran sftp(const Words& commands) const;
    [[nodiscard]] Ran scp(const Words& options, const std::string& from, const std::string& to) const;

    [[nodiscard]] std::string remote(std::string_view path) const; // as scp wants it
    [[nodiscard]] const std::string& known_hosts() const { return known_hosts_; }

  private:
    [[nodiscard]] Words common() const;

    const ProbeRequest& request_;
    std::string key_;
    std::string known_hosts_;
    std::string host_;      // for ssh
    std::string in_braces_; // for scp and sftp: user@[host]
};

// Where a program of that name is; empty: nowhere.
[[nodiscard]] std::string find_program(std::string_view name);
// The last line, printable.
[[nodiscard]] std::string last_line(std::string_view text);

} // namespace gate::ctl
