// `pandora-gate keys ...`. Each returns what belongs on stdout; each throws Problem.
#pragma once

#include "gatectl/context.h"
#include "gatectl/store/store.h"

#include <string>
#include <string_view>
#include <vector>

namespace gate::ctl {

struct AddRequest {
    std::string key; // the content of the .pub file
    std::vector<std::string> agents;
    std::string note; // empty: the key's own comment
    std::string id;   // empty: made from the first agent and the fingerprint
};

[[nodiscard]] std::string add_key(Context& context, const AddRequest& request);
[[nodiscard]] std::string list_keys(Context& context, bool json);
// `key`: an id, a fingerprint, or a unique beginning of either.
[[nodiscard]] std::string show_key(Context& context, const std::string& key, bool json);
[[nodiscard]] std::string revoke_key(Context& context, const std::string& key, const std::string& reason);

// What FILE, or "-" for stdin, holds; no more of it than read_public_key needs to refuse it.
[[nodiscard]] std::string read_key_file(const std::string& file);

// The one key that is named so. Throws Problem (refused) for none and for several.
[[nodiscard]] const StoredKey& select_key(const std::vector<StoredKey>& keys, std::string_view name);

// "2026-11-23T04:40:36Z".
[[nodiscard]] std::string time_text(std::int64_t seconds);

// The audit event of a change of one key.
void tell_changed(Context& context, const StoredKey& key, std::string_view action, std::uint64_t generation);

} // namespace gate::ctl
