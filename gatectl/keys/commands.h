// `pandora-gate keys ...`. Each returns what belongs on stdout; each throws Problem.
#pragma once

#include "gatectl/context.h"
#include "gatectl/store/store.h"

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
[[nodiscard]] std::string list_keys(Context& context, bool json);
// `key`: an id, a fingerprint, or a unique beginning of either.
[[nodiscard]] std::string show_key(Context& context, const std::string& key, bool json);
[[nodiscard]] std::string revoke_key(Context& context, const std::string& key, const std::string& reason);

// What FILE, or "-" for stdin, holds; no more of it than read_public_key needs to refuse it.
[[nodiscard]] std::string read_key_file(const std::string& file);

// The one key that is named so: by id, fingerprint, or a unique beginning of either. Throws Problem (refused)
// for none and for several.
[[nodiscard]] StoredKey select_key(Store& store, const std::string& name);

// All keys of the store; none if there is no store.
[[nodiscard]] std::vector<StoredKey> load_keys(Context& context);

// Inside a change: the agents that the key does not have yet, and its binding unless `binding` is empty.
// False if it had all that. Throws Problem (refused) for a revoked key. `key` becomes what it is then.
[[nodiscard]] bool bind_in_store(const Context& context, Store& store, StoredKey& key,
                                 const std::vector<std::string>& agents, const std::string& binding);

// `"a", "b", "c" and 2 more`, printable.
[[nodiscard]] std::string list_agents(const std::vector<std::string>& agents);
// A pattern that lets a key send for everybody is what was asked for, and worth a word.
void remark_on_patterns(Context& context, const std::vector<std::string>& agents);

} // namespace gate::ctl
