// publish, keyring.
#include "gatectl/command_line.h"
#include "gatectl/publish/publish.h"

namespace gate::ctl {

void CommandLine::publish_commands() {
    auto* publish =
        app.add_subcommand("publish", "Compile the store and gate.toml into the keyring that logins read");
    auto* back = publish->add_flag("--rollback", rollback_,
                                   "Put the previous keyring in place again; what is revoked stays revoked");
    auto* check =
        publish->add_option("--check", keyring_check_, "Only read this keyring whole, and say what is in it")
            ->type_name("FILE");
    auto* to = publish->add_option("--to", keyring_to_, "Write the keyring into this file instead")
                   ->type_name("FILE");
    back->excludes(check)->excludes(to);
    check->excludes(to);
    publish->add_flag("--dry-run", context.dry_run, "Only say what would be done");
    publish->add_flag("--json", context.json, "For programs");
    publish->callback([this] {
        command = [this] {
            if (!keyring_check_.empty())
                return check_keyring(context, keyring_check_);
            if (!keyring_to_.empty())
                return publish_to(context, keyring_to_);
            return rollback_ ? roll_back(context) : publish_command(context);
        };
    });

    auto* keyring = app.add_subcommand("keyring", "Keyrings that were published on another machine");
    keyring->require_subcommand(1);
    auto* install = keyring->add_subcommand("install", "Put one in place here, if it is newer");
    install->add_option("FILE", keyring_file_, "What `publish --to FILE` wrote, or a copy of a keyring")
        ->required();
    install->add_flag("--rollback", rollback_, "Also one that is older");
    install->add_flag("--dry-run", context.dry_run, "Only say what would be done");
    install->add_flag("--json", context.json, "For programs");
    install->callback(
        [this] { command = [this] { return install_keyring(context, keyring_file_, rollback_); }; });
}

} // namespace gate::ctl
