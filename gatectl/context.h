// What every command is given: where its files are, who runs it, where its audit events go, and where it
// leaves remarks for stderr. Commands return what belongs on stdout and print nothing themselves.
#pragma once

#include "gatectl/enrol/password.h"
#include "lib/audit/transport.h"
#include "lib/keyring/reader.h"
#include "lib/spool/memory.h"

#include <cstdint>
#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace gate::ctl {

inline constexpr const char* k_default_store = GATE_STATEDIR "/store/store.db";
inline constexpr const char* k_default_config = GATE_SYSCONFDIR "/gate.toml";
inline constexpr const char* k_default_host_keys = "/etc/ssh";
// Another administrator's change takes milliseconds; a publish of a very large store some seconds.
inline constexpr int k_store_patience = 10; // seconds

struct Context {
    std::string store = k_default_store;
    std::string keyring = keyring::k_default_path;
    std::string config = k_default_config;
    int store_patience = k_store_patience;
    std::string operator_name = "?";
    uid_t owner = 0;                    // of the store, the keyring, the pause file: who runs this
    bool json = false;                  // results for programs instead of people
    bool dry_run = false;               // do everything but keep nothing, tell nothing
    int columns = 0;                    // of the terminal that stdout is; 0: it is none, lines may be long
    bool colour = false;                // stdout is a terminal that shows colours
    bool prepares = true;               // publish makes what sessions need (prepare.h); root's business
    audit::Transport* audit = nullptr;  // not owned; null: no events
    std::vector<std::string> remarks{}; // for stderr, one line each, printable
    // How far a long command is; for a terminal. May be empty.
    std::function<void(const char* what, std::uint64_t done, std::uint64_t total)> progress{};
    void show_progress(const char* what, std::uint64_t done, std::uint64_t total) const {
        if (progress)
            progress(what, done, total);
    }
    int exit_status = 0;                   // of a command that did its work and has something to say by it
    std::string run = "/run/pandora-gate"; // tickets and the socket of the enrolment service
    std::string host_key_directory = k_default_host_keys; // for `backup` and `restore`
    const Passwords* passwords = &system_passwords();     // of the account; a test has its own
    // How the memory of a key is read; a test has its own.
    Result<spool::Learned> (*read_learned)(const std::string& file, uid_t owner) = spool::read_learned;
};

// The directory of the keyring: the pause file and the directory of the sessions' state lie there too, so
// that a keyring elsewhere touches nothing of the machine's.
[[nodiscard]] std::string state_directory(const Context& context);
// The account's own directory in it (lib/spool/state.h).
[[nodiscard]] std::string memory_directory(const Context& context);
inline constexpr const char* k_pause_name = "pause"; // the file of lib/spool/pause.h in it

// Tells an event, if there is somebody to tell it to; an undelivered one becomes a remark.
void tell(Context& context, audit::Line&& line);

} // namespace gate::ctl
