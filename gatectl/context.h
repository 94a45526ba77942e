// What every command is given: where its files are, who runs it, where its audit events go, and where it
// leaves remarks for stderr. Commands return what belongs on stdout and print nothing themselves.
#pragma once

#include "lib/audit/transport.h"
#include "lib/keyring/reader.h"

#include <string>
#include <sys/types.h>
#include <vector>

namespace gate::ctl {

inline constexpr const char* k_default_store = GATE_STATEDIR "/store/store.db";
inline constexpr const char* k_default_config = GATE_SYSCONFDIR "/gate.toml";
// Another administrator's change takes milliseconds; a publish of a very large store some seconds.
inline constexpr int k_store_patience = 10; // seconds

struct Context {
    std::string store = k_default_store;
    std::string keyring = keyring::k_default_path;
    std::string config = k_default_config;
    int store_patience = k_store_patience;
    std::string operator_name = "?";
    uid_t owner = 0;                    // of the store and of the keyring: who runs this
    audit::Transport* audit = nullptr;  // not owned; null: no events
    std::vector<std::string> remarks{}; // for stderr, one line each, printable
};

// Tells an event, if there is somebody to tell it to; an undelivered one becomes a remark.
void tell(Context& context, audit::Line&& line);

} // namespace gate::ctl
