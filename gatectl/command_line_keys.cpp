// keys.
#include "gatectl/command_line.h"
#include "gatectl/problem.h"

#include <utility>

namespace gate::ctl {

namespace {

constexpr const char* k_key_help = "Id, fingerprint, or a unique beginning of either";

// One value each: what follows a name is not another name, it may be FILE or KEY.
void agent_option(CLI::App& command, std::vector<std::string>& agents, const char* help) {
    command.add_option("--agent", agents, help)->type_name("NAME")->allow_extra_args(false);
}

void binding_option(CLI::App& command, std::string& binding) {
    command.add_option("--binding", binding, "enforce, observe or off; without it, the policy's")
        ->type_name("MODE");
}

void key_argument(CLI::App& command, std::string& key) {
    command.add_option("KEY", key, k_key_help)->required();
}

CLI::Option* reason_option(CLI::App& command, std::string& reason) {
    return command.add_option("--reason", reason, "Why, for the history")->type_name("TEXT");
}

// What was given, as distinct from what was not: `--note ""` takes a note away.
template<class T>
CLI::Option* optional_option(CLI::App& command, const char* name, std::optional<T>& to, const char* help) {
    return command.add_option_function<T>(
        name, [&to](const T& value) { to = value; }, help);
}

// A flag that sets the same to nothing.
template<class T>
void none_flag(CLI::App& command, const char* name, std::optional<T>& to, CLI::Option* other,
               const char* help) {
    command
        .add_flag_callback(
            name, [&to] { to = T{}; }, help)
        ->excludes(other);
}

// The text of the key of a user who has none.
std::string no_key_of(const std::string& user, bool has_file) {
    if (has_file)
        stop(Status::usage, "a user who sends by FTP has no key: give FILE or --ftp");
    if (user.empty())
        stop(Status::usage, "--ftp: say which user");
    return {};
}

} // namespace

void CommandLine::key_json_flag(CLI::App& one) {
    one.add_flag("--json", context.json, "For programs");
}

void CommandLine::change_flags(CLI::App& one) {
    key_json_flag(one);
    one.add_flag("--dry-run", context.dry_run, "Say what would be done, and do nothing");
}

void CommandLine::limit_options(CLI::App& one, LimitWords& limits, const char* without) {
    const std::string tail = without;
    one.add_option("--quota-files", limits.quota_files, "Packets within quota.window" + tail)->type_name("N");
    one.add_option("--quota-bytes", limits.quota_bytes, "Their size together, as 64MB" + tail)
        ->type_name("SIZE");
    one.add_option("--max-file-size", limits.max_file_size, "Size of one packet, as 2MB" + tail)
        ->type_name("SIZE");
}

void CommandLine::keys_commands() {
    auto* keys = app.add_subcommand("keys", "Keys of agents");
    keys->require_subcommand(1);
    add_command(*keys);
    import_command(*keys);
    list_command(*keys);
    look_commands(*keys);
    set_command(*keys);
    bind_commands(*keys);
    state_commands(*keys);
    rotate_command(*keys);
}

void CommandLine::add_command(CLI::App& keys) {
    auto* add = keys.add_subcommand("add", "Add one public key, or a user who sends by FTP, and publish");
    auto* file = add->add_option("FILE", key_file_, "A .pub file; - or nothing: standard input");
    auto* ftp = add->add_option("--ftp", add_.ftp_user, "No key, but a user who sends by FTP: ftp:USER")
                    ->type_name("USER");
    agent_option(*add, add_.agents,
                 "Name of an agent that sends with this key, or a pattern with *; may be repeated");
    binding_option(*add, add_.binding);
    add->add_option("--expires", add_.expires, "When it ends: 90d, 2027-01-31; without it, never")
        ->type_name("WHEN");
    add->add_option("--not-before", add_.not_before, "When it begins; without it, at once")
        ->type_name("WHEN");
    add->add_option("--from", add_.from, "Address or network that it is good from; may be repeated")
        ->type_name("CIDR")
        ->allow_extra_args(false);
    limit_options(*add, add_.limits, "; without it, the policy's");
    add->add_option("--note", add_.note, "A remark; without it, the key's comment")->type_name("TEXT");
    add->add_option("--approver", add_.approver, "Who answers for it; without it, you")->type_name("NAME");
    add->add_option("--id", add_.id, "A short name for the key; without it, one is made")->type_name("ID");
    change_flags(*add);
    add->callback([this, file, ftp] {
        const bool has_file = file->count() != 0;
        const bool is_user = ftp->count() != 0;
        command = [this, has_file, is_user] {
            add_.key = is_user ? no_key_of(add_.ftp_user, has_file) : read_key_file(key_file_);
            return add_key(context, add_);
        };
    });
}

void CommandLine::list_command(CLI::App& keys) {
    auto* list = keys.add_subcommand("list", "List keys");
    list->add_option("--agent", list_.agent, "Those that may send for it; or a pattern of agents")
        ->type_name("NAME");
    list->add_option("--state", list_.states,
                     "active, expired, not-yet-valid, disabled, revoked, removed; may be repeated")
        ->type_name("STATE")
        ->allow_extra_args(false);
    list->add_option("--expiring-within", list_.expiring_within, "Those that end within this time, as 30d")
        ->type_name("TIME");
    list->add_option("--unused-for", list_.unused_for, "Those that have sent nothing for this time, as 90d")
        ->type_name("TIME");
    list->add_option("--type", list_.type, "ed25519, ecdsa, rsa, sk-ed25519, sk-ecdsa, ftp-user")
        ->type_name("TYPE");
    list->add_option("--at", list_.at, "As they were, or will be, then")->type_name("WHEN");
    list->add_flag("--wide", list_.wide, "Fingerprints, bindings and networks too");
    key_json_flag(*list);
    list->callback([this] { command = [this] { return list_keys(context, context.json, list_); }; });
}

void CommandLine::look_commands(CLI::App& keys) {
    auto* show = keys.add_subcommand("show", "Show one key and its history");
    key_argument(*show, key_);
    key_json_flag(*show);
    show->callback([this] { command = [this] { return show_key(context, key_, context.json); }; });

    auto* history = keys.add_subcommand("history", "Show what was done with a key, before and after");
    key_argument(*history, key_);
    key_json_flag(*history);
    history->callback([this] { command = [this] { return history_of_key(context, key_); }; });

    auto* review =
        keys.add_subcommand("review", "All keys, with last use and approver, as a table for auditors");
    review->add_flag("--csv", csv_, "Comma-separated values; the default");
    key_json_flag(*review);
    review->callback([this] { command = [this] { return review_keys(context); }; });

    auto* exporting = keys.add_subcommand("export", "Keys in a form that other programs read");
    exporting
        ->add_option("--format", format_,
                     "authorized_keys: the valid ones; revoked: for sshd's RevokedKeys; json: all")
        ->type_name("FORMAT")
        ->capture_default_str();
    key_json_flag(*exporting);
    exporting->callback([this] { command = [this] { return export_keys(context, format_); }; });
}

void CommandLine::set_command(CLI::App& keys) {
    auto* set = keys.add_subcommand("set", "Change settings of a key and publish");
    key_argument(*set, set_.key);
    auto* expires = optional_option(*set, "--expires", set_.expires, "When it ends: 90d, 2027-01-31");
    expires->type_name("WHEN");
    none_flag(*set, "--no-expires", set_.expires, expires, "It does not end");
    auto* begins = optional_option(*set, "--not-before", set_.not_before, "When it begins");
    begins->type_name("WHEN");
    none_flag(*set, "--no-not-before", set_.not_before, begins, "It is good already");
    auto* from =
        optional_option(*set, "--from", set_.from, "The only addresses or networks; may be repeated");
    from->type_name("CIDR")->allow_extra_args(false);
    none_flag(*set, "--no-from", set_.from, from, "From anywhere");
    auto* agents = optional_option(*set, "--agent", set_.agents, "The only agents; may be repeated");
    agents->type_name("NAME")->allow_extra_args(false);
    none_flag(*set, "--no-agents", set_.agents, agents, "Take all agents from it");
    optional_option(*set, "--binding", set_.binding, "enforce, observe, off, or default")->type_name("MODE");
    optional_option(*set, "--note", set_.note, "A remark")->type_name("TEXT");
    optional_option(*set, "--approver", set_.approver, "Who answers for it")->type_name("NAME");
    limit_options(*set, set_.limits, "; default: the policy's");
    change_flags(*set);
    set->callback([this] { command = [this] { return set_key(context, set_); }; });
}

void CommandLine::bind_commands(CLI::App& keys) {
    auto* bind = keys.add_subcommand("bind", "Give a key more agents, or another binding, and publish");
    bind->add_option("KEY", bind_.keys, k_key_help);
    agent_option(*bind, bind_.agents, "Name of an agent, or a pattern with *; may be repeated");
    binding_option(*bind, bind_.binding);
    bind->add_flag("--learned", learned_,
                   "Take the agents that the first packets of keys without agents named");
    change_flags(*bind);
    bind->callback([this] {
        command = [this] { return learned_ ? bind_learned(context, bind_) : bind_key(context, bind_); };
    });

    auto* learned = keys.add_subcommand("learned", "List keys without agents, and what their packets named");
    key_json_flag(*learned);
    learned->callback([this] { command = [this] { return list_learned(context, context.json); }; });
}

void CommandLine::state_commands(CLI::App& keys) {
    auto* disable = keys.add_subcommand("disable", "Refuse a key until it is enabled again, and publish");
    key_argument(*disable, key_);
    reason_option(*disable, reason_)->required();
    change_flags(*disable);
    disable->callback([this] { command = [this] { return disable_key(context, key_, reason_); }; });

    auto* enable = keys.add_subcommand("enable", "Take a disabled key again, and publish");
    key_argument(*enable, key_);
    reason_option(*enable, reason_);
    change_flags(*enable);
    enable->callback([this] { command = [this] { return enable_key(context, key_, reason_); }; });

    auto* revoke = keys.add_subcommand("revoke", "Revoke a key for good and publish");
    key_argument(*revoke, key_);
    reason_option(*revoke, reason_)->required();
    change_flags(*revoke);
    revoke->callback([this] { command = [this] { return revoke_key(context, key_, reason_); }; });

    auto* remove = keys.add_subcommand("remove", "Take a key out of keyring and lists; its history stays");
    key_argument(*remove, key_);
    reason_option(*remove, reason_)->required();
    remove->add_flag("--force", force_, "Also one that is active");
    change_flags(*remove);
    remove->callback([this] { command = [this] { return remove_key(context, key_, reason_, force_); }; });
}

void CommandLine::rotate_command(CLI::App& keys) {
    auto* rotate = keys.add_subcommand("rotate", "Give an agent a new key; the old one goes on for a while");
    rotate->add_option("AGENT", rotate_.agent, "Whose key it is, by its very name")->required();
    rotate->add_option("NEWKEY", key_file_, "The .pub file of the new key; -: standard input")->required();
    rotate->add_option("--overlap", rotate_.overlap, "How long the old key stays good; 0: it ends now")
        ->type_name("TIME")
        ->capture_default_str();
    rotate->add_option("--key", rotate_.key, "The old key, if the agent has several")->type_name("KEY");
    rotate->add_option("--expires", rotate_.expires, "When the new one ends; without it, never")
        ->type_name("WHEN");
    rotate->add_option("--id", rotate_.id, "A short name for the new key")->type_name("ID");
    change_flags(*rotate);
    rotate->callback([this] {
        command = [this] {
            rotate_.new_key = read_key_file(key_file_);
            return rotate_key(context, rotate_);
        };
    });
}

} // namespace gate::ctl
