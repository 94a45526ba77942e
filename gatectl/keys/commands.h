// `pandora-gate keys ...`. Each returns what belongs on stdout; each throws Problem.
#pragma once

#include "gatectl/context.h"
#include "gatectl/keys/terms.h"
#include "gatectl/store/store.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gate::ctl {

// The note of a change by this operator, now.
[[nodiscard]] Note note_of(const Context& context, std::string action, std::string detail = {});

struct AddRequest {
    std::string key; // the content of the .pub file
    std::vector<std::string> agents;
    std::string note;    // empty: the key's own comment
    std::string id;      // empty: made from the first agent and the fingerprint
    std::string binding; // "enforce", "observe", "off"; empty: the policy's
    // As they were typed (terms.h); empty: none.
    std::string expires{};
    std::string not_before{};
    std::vector<std::string> from{};
    LimitWords limits{};
    std::string approver{}; // empty: the operator
    std::string ftp_user{}; // not empty: a user who sends by FTP, without a key
};

// What `keys set` changes of a key; nullopt: stays as it is.
struct SetRequest {
    std::string key{};
    std::optional<std::string> expires{}; // as typed; empty: never
    std::optional<std::string> not_before{};
    std::optional<std::vector<std::string>> from{}; // in place of those that are there; none: anywhere
    std::optional<std::string> note{};
    std::optional<std::string> approver{};
    std::optional<std::vector<std::string>> agents{}; // in place of those that are there
    std::optional<std::string> binding{};             // also "default"
    LimitWords limits{};                              // also "default"
};

struct RotateRequest {
    std::string agent{};
    std::string new_key{};      // the content of the .pub file
    std::string overlap = "7d"; // how long the old key stays valid; "0": no longer
    std::string key{};          // the old one, if several have the agent
    std::string expires{};      // of the new one, as typed; empty: never
    std::string id{};           // of the new one; empty: made from the agent and the fingerprint
};

struct ListRequest {
    std::string agent{};               // exact, or one that a pattern fits, either way
    std::vector<std::string> states{}; // words of standing_word(); none: all but removed ones
    std::string expiring_within{};     // a time like 30d, or a date
    std::string unused_for{};          // a time like 90d
    std::string type{};                // as in keys.types, or as in a .pub file
    std::string at{};                  // a date: how it was, or will be, then
    bool wide = false;
};

struct BindRequest {
    std::vector<std::string> keys; // of bind_learned: none means all that propose
    std::vector<std::string> agents;
    std::string binding; // empty: as it is
};

[[nodiscard]] std::string add_key(Context& context, const AddRequest& request);
// Agents, or a binding, for one key that is there.
[[nodiscard]] std::string bind_key(Context& context, const BindRequest& request);
// Each unbound key to the agent that its first packets named.
[[nodiscard]] std::string bind_learned(Context& context, const BindRequest& request);
[[nodiscard]] std::string list_learned(Context& context, bool json);
[[nodiscard]] std::string list_keys(Context& context, bool json, const ListRequest& request = {});
// `key`: an id, a fingerprint, or a unique beginning of either.
[[nodiscard]] std::string show_key(Context& context, const std::string& key, bool json);
[[nodiscard]] std::string history_of_key(Context& context, const std::string& key);
[[nodiscard]] std::string set_key(Context& context, const SetRequest& request);
[[nodiscard]] std::string disable_key(Context& context, const std::string& key, const std::string& reason);
[[nodiscard]] std::string enable_key(Context& context, const std::string& key, const std::string& reason);
[[nodiscard]] std::string revoke_key(Context& context, const std::string& key, const std::string& reason);
// `force`: also a key that may be in use.
[[nodiscard]] std::string remove_key(Context& context, const std::string& key, const std::string& reason,
                                     bool force);
// A new key in place of an old one, which goes on for a while.
[[nodiscard]] std::string rotate_key(Context& context, const RotateRequest& request);
// What every key is for, in a table for spreadsheets (or JSON).
[[nodiscard]] std::string review_keys(Context& context);
// `format`: "authorized_keys", "json", "revoked".
[[nodiscard]] std::string export_keys(Context& context, const std::string& format);

// What FILE, or "-" for stdin, holds; no more of it than read_public_key needs to refuse it.
[[nodiscard]] std::string read_key_file(const std::string& file);

// The one key that is named so: by id, fingerprint, or a unique beginning of either. Throws Problem (refused)
// for none and for several.
[[nodiscard]] StoredKey select_key(Store& store, const std::string& name);
// The same, and a removed key by its whole id or fingerprint.
[[nodiscard]] StoredKey select_also_removed(Store& store, const std::string& name);

// False if there is none yet. Throws Problem if it is gone although there is a keyring.
[[nodiscard]] bool has_store(const Context& context);

// Inside a change: the agents that the key does not have yet, and its binding unless `binding` is empty.
// False if it had all that. Throws Problem (refused) for a revoked key. `key` becomes what it is then.
[[nodiscard]] bool bind_in_store(const Context& context, Store& store, StoredKey& key,
                                 const std::vector<std::string>& agents, const std::string& binding);

// `"a", "b", "c" and 2 more`, printable.
[[nodiscard]] std::string list_agents(const std::vector<std::string>& agents);
// A pattern that lets a key send for everybody is what was asked for, and worth a word.
void remark_on_patterns(Context& context, const std::vector<std::string>& agents);

} // namespace gate::ctl
