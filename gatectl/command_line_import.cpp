// keys import.
#include "gatectl/command_line.h"

namespace gate::ctl {

void CommandLine::import_command(CLI::App& keys) {
    auto* importing = keys.add_subcommand("import", "Add many keys and publish: all of them, or none");
    importing->add_option("FILE", import_.sources.files,
                          "Files of authorized_keys lines, directories of .pub files; -: standard input");
    importing->add_flag("--csv", import_.sources.csv,
                        "Tables with the columns key, agent, from, expires, note");
    const std::map<std::string, AgentFrom> words = {{"comment", AgentFrom::comment},
                                                    {"filename", AgentFrom::filename}};
    importing
        ->add_option("--agent-from", import_.sources.agent_from,
                     "Where an agent's name stands: comment or filename; without it, keys learn their agents")
        ->transform(CLI::CheckedTransformer(words).description(""))
        ->type_name("WHERE");
    importing
        ->add_option("--binding", import_.binding,
                     "enforce, observe or off; without it, observe unless gate.toml has binding.default")
        ->type_name("MODE");
    importing->add_flag("--skip-bad", import_.skip_bad, "Leave out what is bad instead of importing nothing");
    importing->add_flag("--dry-run", context.dry_run, "Only say what would be done");
    importing->add_flag("--json", context.json, "For programs");
    importing->callback([this] { command = [this] { return import_keys(context, import_); }; });
}

} // namespace gate::ctl
