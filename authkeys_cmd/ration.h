// How often it is told that the keyring itself cannot be used: every login of a fleet meets the same fault,
// and the log shall show it, not drown in it.
//
// authkeys is one process for one login, so what was told is remembered in a file for each kind of fault, in
// a directory that is the account's of authkeys alone. Whatever is wrong with that directory, the fault is
// told.
#pragma once

#include <cstdint>

namespace gate::authkeys {

// The same fault is told once in this many seconds.
inline constexpr std::int64_t k_ration_s = 60;

struct Ration {
    bool tell = true;
    std::uint64_t repeated = 0; // so many were not told since the last one that was
};

// May this be told now? `name` is a plain file name, `now` seconds since the epoch. Of two processes at once
// one is told yes. Never fails: without a directory, or when it cannot be trusted, the answer is yes.
[[nodiscard]] Ration take_ration(const char* directory, const char* name, std::int64_t now);

} // namespace gate::authkeys
