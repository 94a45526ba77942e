#include "gatectl/cli.h"

#include "gatectl/keys/commands.h"
#include "gatectl/operator.h"
#include "gatectl/problem.h"
#include "gatectl/publish/publish.h"
#include "lib/base/text.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <unistd.h>

namespace gate::ctl {

namespace {

struct CommandLine {
    CommandLine();

    CLI::App app{"Administers the keys and the policy of pandora-gate. See pandora-gate(8).", "pandora-gate"};
    Context context;
    std::function<std::string()> command;

  private:
    void options();
    void keys_commands();

    std::string key_file_ = "-";
    AddRequest add_;
    std::string key_;
    std::string reason_;
    bool json_ = false;
};

CommandLine::CommandLine() {
    options();
    keys_commands();
    app.add_subcommand("publish", "Compile the store and gate.toml into the keyring that logins read")
        ->callback([this] { command = [this] { return publish_command(context); }; });
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

void CommandLine::keys_commands() {
    auto* keys = app.add_subcommand("keys", "Keys of agents");
    keys->require_subcommand(1);

    auto* add = keys->add_subcommand("add", "Add one public key and publish");
    add->add_option("FILE", key_file_, "A .pub file; - or nothing: standard input");
    // One value each: what follows a name is not another name, it may be FILE.
    add->add_option("--agent", add_.agents,
                    "Exact name of an agent that sends with this key; may be repeated")
        ->type_name("NAME")
        ->required()
        ->allow_extra_args(false);
    add->add_option("--note", add_.note, "A remark; without it, the key's comment")->type_name("TEXT");
    add->add_option("--id", add_.id, "A short name for the key; without it, one is made")->type_name("ID");
    add->callback([this] {
        command = [this] {
            add_.key = read_key_file(key_file_);
            return add_key(context, add_);
        };
    });

    auto* list = keys->add_subcommand("list", "List all keys");
    list->add_flag("--json", json_, "For programs");
    list->callback([this] { command = [this] { return list_keys(context, json_); }; });

    auto* show = keys->add_subcommand("show", "Show one key and its history");
    show->add_option("KEY", key_, "Id, fingerprint, or a unique beginning of either")->required();
    show->add_flag("--json", json_, "For programs");
    show->callback([this] { command = [this] { return show_key(context, key_, json_); }; });

    auto* revoke = keys->add_subcommand("revoke", "Revoke a key for good and publish");
    revoke->add_option("KEY", key_, "Id, fingerprint, or a unique beginning of either")->required();
    revoke->add_option("--reason", reason_, "Why, for the history")->type_name("TEXT")->required();
    revoke->callback([this] { command = [this] { return revoke_key(context, key_, reason_); }; });
}

void complain(std::string_view text) noexcept {
    std::fprintf(stderr, "pandora-gate: %.*s\n", static_cast<int>(text.size()), text.data());
}

void print(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        stop(Status::io, "the command was carried out, but its output could not be written");
}

void demand_root(const Context& context) {
    if (context.owner != 0 &&
        (context.store == k_default_store || context.keyring == keyring::k_default_path))
        stop(Status::no_permission,
             "the store and the keyring are root's: run it as root, for instance with sudo");
}

[[nodiscard]] Status run_command(int argc, const char* const* argv) {
    CommandLine line;
    try {
        line.app.parse(argc, argv);
    } catch (const CLI::Success& asked) { // --help, --version
        return line.app.exit(asked) == 0 ? Status::ok : Status::internal;
    } catch (const CLI::ParseError& error) {
        if (const auto unknown = line.app.remaining(true); !unknown.empty())
            stop(Status::usage, "unknown argument \"{}\" (see `pandora-gate --help`)",
                 escape_visible(unknown.front()));
        stop(Status::usage, "{} (see `pandora-gate --help`)", escape_visible(error.what()));
    }
    Context& context = line.context;
    context.owner = ::geteuid();
    context.operator_name = operator_name();
    demand_root(context);
    audit::Transport transport;
    context.audit = &transport;
    const auto say_remarks = [&context] {
        for (const std::string& remark : context.remarks)
            complain(remark);
    };
    try {
        const std::string text = line.command();
        say_remarks();
        print(text);
    } catch (...) {
        context.remarks.resize(0); // the reason of the failure is the one line
        throw;
    }
    return Status::ok;
}

} // namespace

int run(int argc, const char* const* argv) noexcept {
    try {
        return static_cast<int>(run_command(argc, argv));
    } catch (const Problem& problem) {
        complain(problem.what());
        return static_cast<int>(problem.status());
    } catch (const std::exception& error) {
        complain(error.what());
    } catch (...) {
        complain("an error of unknown type");
    }
    return static_cast<int>(Status::internal);
}

} // namespace gate::ctl
