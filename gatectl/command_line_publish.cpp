// publish.
#include "gatectl/command_line.h"
#include "gatectl/publish/publish.h"

namespace gate::ctl {

void CommandLine::publish_commands() {
    app.add_subcommand("publish", "Compile the store and gate.toml into the keyring that logins read")
        ->callback([this] { command = [this] { return publish_command(context); }; });
}

} // namespace gate::ctl
