// authkeys asked as sshd asks it: the installed program, as the user of AuthorizedKeysCommandUser. What it
// says is its documented interface: an exit status for each reason, and the one line that sshd reads.
#pragma once

#include "gatectl/context.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gate::ctl {

// pandora-gate-authkeys(8), EXIT STATUS. A test compares this with the table that authkeys has.
struct AuthkeysStatus {
    int status;
    std::string_view rule;
    std::string_view remedy;
};
inline constexpr std::array k_authkeys_statuses = {
    AuthkeysStatus{0, "key.unknown", "enrol the key: pandora-gate keys add"},
    AuthkeysStatus{64, "authkeys.usage",
                   "set AuthorizedKeysCommand to: /usr/libexec/pandora-gate/authkeys %u %f"},
    AuthkeysStatus{65, "authkeys.fingerprint",
                   "set FingerprintHash sha256, and %f as the last argument of AuthorizedKeysCommand"},
    AuthkeysStatus{66, "keyring.missing", "run: pandora-gate publish"},
    AuthkeysStatus{67, "keyring.owner", "find out who replaced the keyring, then run: pandora-gate publish"},
    AuthkeysStatus{68, "keyring.writable", "find out who changed its mode, then run: pandora-gate publish"},
    AuthkeysStatus{69, "keyring.type", "find out who replaced the keyring, then run: pandora-gate publish"},
    AuthkeysStatus{70, "authkeys.internal", "look for a lack of memory; report the bug if there is none"},
    AuthkeysStatus{71, "keyring.unreadable",
                   "check the disk, and that every directory above the keyring lets others pass"},
    AuthkeysStatus{72, "keyring.truncated", "check the disk, then run: pandora-gate publish"},
    AuthkeysStatus{73, "keyring.damaged", "check the disk, then run: pandora-gate publish"},
    AuthkeysStatus{74, "authkeys.output", "see why sshd closed the pipe"},
    AuthkeysStatus{75, "authkeys.deadline", "check the load of the machine and its disk"},
    AuthkeysStatus{76, "keyring.version",
                   "install one version of pandora-gate everywhere, then run: pandora-gate publish"},
    AuthkeysStatus{77, "key.revoked", "give the agent a new key: pandora-gate keys add"},
    AuthkeysStatus{78, "authkeys.privileged", "set AuthorizedKeysCommandUser _pandora-gate"},
    AuthkeysStatus{79, "key.unprintable",
                   "revoke the key, enrol it again under a plain key id, and run: pandora-gate publish"},
    AuthkeysStatus{80, "key.disabled", "if it may be used again: pandora-gate keys enable"},
    AuthkeysStatus{81, "key.expired",
                   "give the agent a new key, or this one more time: pandora-gate keys set --expires"},
    AuthkeysStatus{82, "key.not_yet",
                   "wait, or let it begin earlier: pandora-gate keys set --not-before; check the clock"},
};
// nullptr: authkeys has no such status.
[[nodiscard]] const AuthkeysStatus* describe_authkeys(int status);

struct Served {
    int status = 0;
    std::string line{}; // what sshd would read; empty: no key
};
// Throws Problem (unavailable) if it cannot be asked.
[[nodiscard]] Served ask_authkeys(const Context& context, const std::string& program, const std::string& user,
                                  const std::string& fingerprint);

// What a line of authkeys demands of the client beside the key.
struct LineOptions {
    std::vector<std::string> from{};
    std::int64_t expires = 0; // the last second, since the epoch; 0: no end
};
// nullopt: it is none of authkeys' lines.
[[nodiscard]] std::optional<LineOptions> read_line_options(std::string_view line);
// Is the address in one of the networks? As sshd does it: IPv4 inside IPv6 is IPv4. False for what is no
// address.
[[nodiscard]] bool holds_address(const std::vector<std::string>& from, std::string_view address);

} // namespace gate::ctl
