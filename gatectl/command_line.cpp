#include "gatectl/command_line.h"

namespace gate::ctl {

namespace {

constexpr const char* k_key_help = "Id, fingerprint, or a unique beginning of either";
constexpr const char* k_id_help = "Id, or a unique beginning of one";

// One value each: what follows a name is not another name, it may be FILE or KEY.
void agent_option(CLI::App& command, std::vector<std::string>& agents, const char* help) {
    command.add_option("--agent", agents, help)->type_name("NAME")->allow_extra_args(false);
}

void binding_option(CLI::App& command, std::string& binding) {
    command.add_option("--binding", binding, "enforce, observe or off; without it, the policy's")
        ->type_name("MODE");
}

} // namespace

CommandLine::CommandLine() {
    options();
    keys_commands();
    publish_commands();
    pause_commands();
    quarantine_commands();
    backup_commands();
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

void CommandLine::keys_commands() {
    auto* keys = app.add_subcommand("keys", "Keys of agents");
    keys->require_subcommand(1);

    auto* add = keys->add_subcommand("add", "Add one public key and publish");
    add->add_option("FILE", key_file_, "A .pub file; - or nothing: standard input");
    agent_option(*add, add_.agents,
                 "Name of an agent that sends with this key, or a pattern with *; may be repeated");
    binding_option(*add, add_.binding);
    add->add_option("--note", add_.note, "A remark; without it, the key's comment")->type_name("TEXT");
    add->add_option("--id", add_.id, "A short name for the key; without it, one is made")->type_name("ID");
    add->callback([this] {
        command = [this] {
            add_.key = read_key_file(key_file_);
            return add_key(context, add_);
        };
    });

    auto* list = keys->add_subcommand("list", "List all keys");
    json_flag(*list);
    list->callback([this] { command = [this] { return list_keys(context, json_); }; });

    auto* show = keys->add_subcommand("show", "Show one key and its history");
    show->add_option("KEY", key_, k_key_help)->required();
    json_flag(*show);
    show->callback([this] { command = [this] { return show_key(context, key_, json_); }; });

    bind_commands(*keys);

    auto* revoke = keys->add_subcommand("revoke", "Revoke a key for good and publish");
    revoke->add_option("KEY", key_, k_key_help)->required();
    revoke->add_option("--reason", reason_, "Why, for the history")->type_name("TEXT")->required();
    revoke->callback([this] { command = [this] { return revoke_key(context, key_, reason_); }; });
}

void CommandLine::bind_commands(CLI::App& keys) {
    auto* bind = keys.add_subcommand("bind", "Give a key more agents, or another binding, and publish");
    bind->add_option("KEY", bind_.keys, k_key_help);
    agent_option(*bind, bind_.agents, "Name of an agent, or a pattern with *; may be repeated");
    binding_option(*bind, bind_.binding);
    bind->add_flag("--learned", learned_,
                   "Take the agents that the first packets of keys without agents named");
    bind->callback([this] {
        command = [this] { return learned_ ? bind_learned(context, bind_) : bind_key(context, bind_); };
    });

    auto* learned = keys.add_subcommand("learned", "List keys without agents, and what their packets named");
    json_flag(*learned);
    learned->callback([this] { command = [this] { return list_learned(context, json_); }; });
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
