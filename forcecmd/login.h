// Who is here and what they asked for: the environment and arguments that sshd gives to a forced command.
// sshd sets the SSH_* variables read here after those of the client (AcceptEnv), so a client cannot forge
// them.
#pragma once

#include "lib/base/result.h"
#include "lib/keyring/policy.h"
#include "lib/keyring/record.h"

#include <optional>
#include <string>
#include <variant>

namespace gate::drop {

// A login that may use the sink.
struct Login {
    keyring::KeyRecord key;
    keyring::Policy policy; // as it is for this key
    std::uint64_t generation = 0;
    std::string session_id;
    std::string peer;                   // the client's address, from SSH_CONNECTION
    std::optional<std::string> command; // as the client wrote it; nullopt = an interactive login
};

// A login without a key: it may hand one over, and do nothing else. What it may let in, the enrolment service
// knows (lib/enrol/ticket.h).
struct EnrolLogin {
    keyring::Policy policy;
    std::string session_id;
    std::string peer;
    std::optional<std::string> command;
};

// Why a login may not. `what` and `remedy` are for the client and the audit; what is known of the key is
// filled in.
struct Refusal {
    std::string_view code;
    std::string what;
    std::string_view remedy;
    int status;
    std::string key_id;
    std::string fingerprint;
};

// The exit statuses of drop beside 0 (all taken) and 1 (something was refused); drop(8) lists them.
inline constexpr int k_exit_usage = 64;
inline constexpr int k_exit_keyring = 65;
inline constexpr int k_exit_internal = 70;
inline constexpr int k_exit_denied = 77;
inline constexpr int k_exit_config = 78;

struct LoginContext {
    std::string session_id;
    std::string peer;
};

// Reads argv as a login shell or a forced command gets it, the environment (which it empties), the
// SSH_USER_AUTH file and the keyring. `context` is filled in either way.
[[nodiscard]] std::expected<std::variant<Login, EnrolLogin>, Refusal> read_login(int argc, char** argv,
                                                                                 LoginContext& context);

} // namespace gate::drop
