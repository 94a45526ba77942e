// What a login may enrol, as pam_pandora found it: a small file of root's for each such session, in a
// directory of root's on /run. The enrolment service reads it; nobody else can. Named after the session id
// (lib/audit/session_id.h), which the service computes from the process that asks it.
#pragma once

#include "lib/base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace gate::enrol {

inline constexpr const char* k_tickets = "/run/pandora-gate/tickets"; // 0700 root

struct Ticket {
    enum class Kind : std::uint8_t {
        code = 1,     // logged in with a one-time code
        password = 2, // logged in with the account's password, while enrolment is on
        key = 3,      // logged in with an active key: it may ask to be rotated
    };
    Kind kind = Kind::code;
    std::string subject; // the code's id; empty; the key's fingerprint ("SHA256:...")
    std::string peer;    // the client's address as PAM_RHOST says it

    bool operator==(const Ticket&) const = default;
};

// Replaces what is there of that name. Errors: bad_input (a session id or a field that cannot stand in it),
// missing (no directory: told apart, because the machine was not set up then), wrong_owner, writable, system,
// no_space.
[[nodiscard]] Result<void> write_ticket(const std::string& directory, std::string_view session,
                                        const Ticket& ticket);
// Errors: bad_input, missing, wrong_owner, writable, damaged, system.
[[nodiscard]] Result<Ticket> read_ticket(const std::string& directory, std::string_view session, uid_t owner);
// No error if there is none.
[[nodiscard]] Result<void> remove_ticket(const std::string& directory, std::string_view session);

} // namespace gate::enrol
