#include "gatectl/explain/commands.h"

#include <memory>

namespace gate::ctl {

void register_explain(const Registry& registry) {
    const auto request = std::make_shared<ExplainRequest>();
    auto* explain = registry.app.add_subcommand(
        "explain", "Walk one case through authkeys, PAM and drop, and say each decision");
    explain->add_option("--user", request->user, "The account that is logged in to")->required();
    explain->add_option("--key", request->key, "A .pub file, or id or fingerprint of a key")->required();
    explain->add_option("--addr", request->address, "The client's address")->required();
    auto* command = explain
                        ->add_option("--command", request->command,
                                     "What the client asks to be run; "
                                     "\"\": nothing")
                        ->type_name("TEXT");
    auto* file =
        explain->add_option("--file", request->file, "The name of a packet that it sends")->type_name("NAME");
    explain->add_option("--agent", request->packet_agent, "The agent_name in that packet")
        ->type_name("NAME")
        ->needs(file);
    explain->add_option("--size", request->size, "Its size in bytes")->type_name("N")->needs(file);
    explain->add_option("--service", request->service, "The PAM service of that sshd")
        ->type_name("NAME")
        ->capture_default_str();
    command->excludes(file);
    explain->add_flag("--json", request->json, "For programs");
    explain->callback([request, context = &registry.context, run = &registry.command] {
        *run = [request, context] { return gate::ctl::explain(*context, *request); };
    });
}

} // namespace gate::ctl
