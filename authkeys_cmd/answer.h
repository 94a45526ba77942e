// The decision: what the keyring says about one user and one fingerprint. Reads the keyring, writes nothing.
#pragma once

#include "authkeys_cmd/request.h"
#include "authkeys_cmd/status.h"

#include <cstdint>
#include <string>

namespace gate::authkeys {

struct Answer {
    enum class Tell : std::uint8_t {
        nothing, // another account's business, or a served key that the policy does not want to hear of
        served,
        refused,
    };
    Status status = Status::internal;
    Tell tell = Tell::refused;
    std::string line;             // what sshd shall read; empty unless the status is ok
    std::string key;              // key id, where one was found
    const char* reason = "";      // static text
    std::string detail;           // an administrator's words (why a key was revoked), or a key's date
    int sys_errno = 0;            // of the call that failed, or 0
    std::uint64_t generation = 0; // of the keyring, 0 = none was read
};

[[nodiscard]] Answer refuse(Status status, const Error& error);
[[nodiscard]] Answer answer(const Request& request, std::int64_t now); // seconds since the epoch

} // namespace gate::authkeys
