// The keyring that is in place now, as the next publish sees it: for its generation, its policy, and the
// revocations that must not be lost.
#pragma once

#include "lib/keyring/reader.h"

#include <optional>
#include <string>
#include <sys/types.h>

namespace gate::ctl {

struct Present {
    enum class State : std::uint8_t {
        none,    // there is no keyring yet
        good,    // it was opened and its header holds
        unusable // it is there, and logins are being refused because of it: see `error`
    };
    State state = State::none;
    Error error{};
    std::uint64_t generation = 0;          // 0 unless good
    std::optional<keyring::Policy> policy; // if it can be read
    std::optional<keyring::Reader> reader; // if good
};

[[nodiscard]] Present look_at(const std::string& keyring, uid_t owner);

} // namespace gate::ctl
