// keys import.
#include "gatectl/command_line.h"

namespace gate::ctl {

void CommandLine::import_command(CLI::App& /*keys*/) {}

} // namespace gate::ctl
