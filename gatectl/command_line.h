// What may be asked, and how it is spelled: CLI11's objects, and where they put what they read.
#pragma once

#include "gatectl/backup/commands.h"
#include "gatectl/context.h"
#include "gatectl/keys/commands.h"
#include "gatectl/keys/import.h"
#include "gatectl/pause/commands.h"
#include "gatectl/quarantine/commands.h"

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

namespace gate::ctl {

struct CommandLine {
    CommandLine();

    CLI::App app{"Administers the keys and the policy of pandora-gate. See pandora-gate(8).", "pandora-gate"};
    Context context;
    std::function<std::string()> command; // set by parsing

  private:
    void options();
    void keys_commands();
    void add_command(CLI::App& keys);
    void set_command(CLI::App& keys);
    void bind_commands(CLI::App& keys);
    void state_commands(CLI::App& keys);
    void rotate_command(CLI::App& keys);
    void look_commands(CLI::App& keys);
    void list_command(CLI::App& keys);
    void import_command(CLI::App& keys);
    // For programs; --dry-run: nothing is kept.
    void change_flags(CLI::App& one);
    void key_json_flag(CLI::App& one);
    void limit_options(CLI::App& one, LimitWords& limits, const char* without);
    void publish_commands();
    void pause_commands();
    void quarantine_commands();
    void backup_commands();
    void json_flag(CLI::App& one);

    std::string key_file_ = "-";
    AddRequest add_;
    SetRequest set_;
    RotateRequest rotate_;
    ListRequest list_;
    std::string format_ = "authorized_keys";
    bool force_ = false;
    bool csv_ = false;
    BindRequest bind_;
    bool learned_ = false;
    std::string key_;
    std::string reason_;
    ImportRequest import_;
    bool rollback_ = false;
    std::string keyring_check_;
    std::string keyring_to_;
    std::string keyring_file_;
    PauseRequest pause_;
    bool status_ = false;
    ShowRequest show_;
    ReleaseRequest release_;
    PurgeRequest purge_;
    BackupRequest backup_;
    RestoreRequest restore_;
    bool json_ = false;
};

} // namespace gate::ctl
