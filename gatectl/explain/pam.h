// What the account phase of a PAM service says of one user and one address: by libpam itself, with the very
// files of /etc/pam.d. It runs in a process of its own, in which /dev/log is a socket of ours: what the
// modules report is heard here - pam_pandora says there which rule refused - and is not in the system's log.
#pragma once

#include <string>
#include <vector>

namespace gate::ctl {

struct PamQuestion {
    std::string service;
    std::string user;
    std::string address;
};

struct PamAnswer {
    std::string trouble{}; // why it could not be asked; empty: it was
    int code = 0;          // of pam_acct_mgmt
    std::string text{};    // libpam's words for it
    // What pam_pandora said, if it was the one that refused; as it came.
    std::string rule{};
    std::string reason{};
    std::string remedy{};
    std::vector<std::string> said{}; // by other modules: to the log, or to the user; as it came
};

// Needs root: a mount namespace. At most k_pam_patience_ms.
[[nodiscard]] PamAnswer ask_pam(const PamQuestion& question);
inline constexpr int k_pam_patience_ms = 10'000;

// One datagram to the logger, into what an answer has of it.
void hear(PamAnswer& answer, const std::string& datagram);

} // namespace gate::ctl
