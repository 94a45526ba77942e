// `pandora-gate backup`, `restore`: what cannot be made again, in one file, and back from it. Each throws
// Problem.
#pragma once

#include "gatectl/context.h"

#include <string>

namespace gate::ctl {

struct BackupRequest {
    std::string file;       // "-": standard output; compressed if it ends in .gz
    bool full = false;      // with what sessions remember of each key, and the pause
    bool host_keys = false; // with sshd's host keys
    bool force = false;     // an existing file is replaced
};

struct RestoreRequest {
    std::string file;       // "-": standard input
    bool host_keys = false; // put sshd's host keys in place, too
};

[[nodiscard]] std::string backup_command(Context& context, const BackupRequest& request);
// Everything in the file is checked before anything is changed. With context.dry_run nothing is.
[[nodiscard]] std::string restore_command(Context& context, const RestoreRequest& request);

} // namespace gate::ctl
