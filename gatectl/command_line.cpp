#include "gatectl/command_line.h"

#include "gatectl/enrol/command_line.h"

namespace gate::ctl {

namespace {

constexpr const char* k_id_help = "Id, or a unique beginning of one";

} // namespace

CommandLine::CommandLine() {
    options();
    keys_commands();
    publish_commands();
    pause_commands();
    quarantine_commands();
    backup_commands();
    register_enrol({app, context, command});
    app.require_subcommand(1);
}

void CommandLine::options() {
    app.add_option("--store", context.store, "The store of keys")->type_name("FILE")->capture_default_str();
    app.add_option("--keyring", context.keyring, "The published keyring")
        ->type_name("FILE")
        ->capture_default_str();
    app.add_option("--config", context.config, "The policy")->type_name("FILE")->capture_default_str();
    app.set_version_flag("--version", "pandora-gate " GATE_VERSION);
}

void CommandLine::json_flag(CLI::App& one) {
    one.add_flag("--json", json_, "For programs");
}

void CommandLine::pause_commands() {
    auto* pause = app.add_subcommand("pause", "Refuse deliveries for a while; agents keep their packets");
    pause->add_option("--reason", pause_.reason, "Why, for the audit and --status")->type_name("TEXT");
    pause->add_option("--for", pause_.duration, "For how long, as 2h; without it, until it is resumed")
        ->type_name("TIME");
    auto* status = pause->add_flag("--status", status_, "Only say whether deliveries are paused");
    pause->add_flag("--json", json_, "For programs; with --status")->needs(status);
    pause->callback([this] {
        command = [this] {
            return status_ ? pause_status(context, json_) : pause_deliveries(context, pause_);
        };
    });
    app.add_subcommand("resume", "Take deliveries again")->callback([this] {
        command = [this] { return resume_deliveries(context); };
    });
}

void CommandLine::quarantine_commands() {
    auto* quarantine = app.add_subcommand("quarantine", "Packets that wait for a human");
    quarantine->require_subcommand(1);

    auto* list = quarantine->add_subcommand("list", "List them; exit status 3 if there are any");
    json_flag(*list);
    list->callback([this] { command = [this] { return list_quarantine(context, json_); }; });

    auto* show = quarantine->add_subcommand("show", "Show why one is there, and how it begins");
    show->add_option("ID", show_.id, k_id_help)->required();
    show->add_flag("--json", show_.json, "For programs");
    show->add_flag("--raw", show_.raw, "The packet itself, byte for byte");
    show->callback([this] { command = [this] { return show_quarantine(context, show_); }; });

    auto* release = quarantine->add_subcommand("release", "Deliver them after all");
    release->add_option("ID", release_.ids, k_id_help)->required();
    release->add_flag("--rebind", release_.rebind, "Give the key the agent that the packet names, too");
    release->callback([this] { command = [this] { return release_quarantine(context, release_); }; });

    auto* purge = quarantine->add_subcommand("purge", "Remove them; without more, those past max_age");
    purge->add_option("ID", purge_.ids, k_id_help);
    purge->add_option("--older-than", purge_.older_than, "Those older than this, as 30d")->type_name("TIME");
    purge->add_flag("--all", purge_.all, "All of them");
    purge->callback([this] { command = [this] { return purge_quarantine(context, purge_); }; });
}

} // namespace gate::ctl
