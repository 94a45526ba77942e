// backup, restore.
#include "gatectl/command_line.h"

namespace gate::ctl {

void CommandLine::backup_commands() {
    auto* backup = app.add_subcommand("backup", "Put what cannot be made again into one file");
    backup
        ->add_option("FILE", backup_.file, "The archive; compressed if it ends in .gz; - is standard output")
        ->required();
    backup->add_flag("--full", backup_.full, "With what sessions remember of each key, and the pause");
    backup->add_flag("--host-keys", backup_.host_keys,
                     "With sshd's host keys: keep the file as secret as they are");
    backup->add_flag("--force", backup_.force, "Replace FILE if it is there");
    backup->callback([this] { command = [this] { return backup_command(context, backup_); }; });

    auto* restore = app.add_subcommand("restore", "Put a backup in place, and publish");
    restore->add_option("FILE", restore_.file, "The archive; - is standard input")->required();
    restore->add_flag("--host-keys", restore_.host_keys, "Replace sshd's host keys, too");
    restore->add_flag("--dry-run", context.dry_run, "Only check whether it could be restored");
    restore->callback([this] { command = [this] { return restore_command(context, restore_); }; });
}

} // namespace gate::ctl
