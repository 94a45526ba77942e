// `pandora-gate pause`: deliveries are refused, so that agents keep their packets; logins go on. A file of
// root that every session has open and looks at before it lets a file in.
#pragma once

#include "lib/base/fd.h"
#include "lib/base/result.h"

#include <array>
#include <cstdint>

namespace gate::spool {

// The name of StatePaths::pause, 0644.
inline constexpr const char* k_pause_name = "pause";
inline constexpr std::size_t k_max_pause_reason = 200;

struct Pause {
    std::int64_t since = 0; // seconds since the epoch; 0: not paused
    std::int64_t until = 0; // 0: until it is resumed
    std::array<char, 64> operator_name{};
    std::array<char, 200> reason{};

    [[nodiscard]] bool holds_at(std::int64_t now) const { return since != 0 && (until == 0 || now < until); }
};

// Of an open file; an empty one is no pause. Errors: damaged, system.
[[nodiscard]] Result<Pause> read_pause(int fd);
[[nodiscard]] Result<void> write_pause(int fd, const Pause& pause);

} // namespace gate::spool
