// The session id that joins what authkeys, pam_pandora and drop say of one login: boot id, pid of sshd's
// session process, and that process's start time (clock ticks since boot). The parent of authkeys, the
// process that runs PAM's account and session phases and the grandparent of drop are the same process
// (OpenSSH 9.2 and 10.5).
#pragma once

#include <string>
#include <sys/types.h>

namespace gate::audit {

// "<boot id>-<pid>-<start>"; "0" stands for a part that /proc does not show (hidepid).
[[nodiscard]] std::string session_id(pid_t sshd_session_process);

// The parent of a process, 0 if /proc does not tell.
[[nodiscard]] pid_t parent_of(pid_t pid);

} // namespace gate::audit
