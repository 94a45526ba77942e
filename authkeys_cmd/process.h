// What authkeys demands of the process it runs in.
#pragma once

#include "lib/base/result.h"

#include <span>
#include <string_view>
#include <sys/types.h>

namespace gate::authkeys {

// sshd waits for this program as long as it runs, and has no deadline of its own.
inline constexpr unsigned k_deadline_s = 2;

// From now on the process ends after k_deadline_s with Status::deadline, whatever it is doing. SIGTERM is
// left alone: it is how sshd ends a helper.
void start_deadline();

// sshd before 8.8 could run the helper with sshd's own supplementary groups (CVE-2021-41617), and an
// administrator can run it as root: neither is needed to read a public file, so neither is accepted.
// Errors: denied (a user id is 0, or any group is 0), system.
[[nodiscard]] Result<void> check_unprivileged();
// The rule itself, on real, effective and saved ids.
[[nodiscard]] Result<void> check_ids(std::span<const uid_t> uids, std::span<const gid_t> gids);

// One write(2): sshd sees the whole line or none of it. Errors: system (a short write among them).
[[nodiscard]] Result<void> write_line(int fd, std::string_view line);

} // namespace gate::authkeys
