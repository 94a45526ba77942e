// A key belongs to agents: what its file names and packets may say of the sender.
#pragma once

#include "lib/keyring/policy.h"
#include "lib/keyring/record.h"
#include "lib/spool/content.h"
#include "lib/spool/reason.h"

#include <string_view>

namespace gate::spool {

// What is done about a packet that does not agree with its key.
enum class BindingMode : std::uint8_t {
    enforce,
    observe, // delivered, and told
    off,
    learn,  // a key without agents: delivered, and its first packets propose one
    refuse, // a key without agents: nothing is taken
};
[[nodiscard]] BindingMode binding_mode(const keyring::Policy& policy, const keyring::KeyRecord& key);

// `*` stands for any bytes, none included.
[[nodiscard]] bool matches_pattern(std::string_view pattern, std::string_view text);

// May the agent in a file name be one of the key's, as far as the name tells? With a pattern, the MD5 of a
// name may be anybody's: check_binding() decides.
[[nodiscard]] bool name_agrees(const keyring::KeyRecord& key, std::string_view file_agent);

// Why a packet may not be delivered for what it holds, whoever sends it; of one that nobody has read: `none`.
[[nodiscard]] Reason check_content(const Verdict& verdict);

// Do key, file name and packet agree? `agent_name` or `agent_mismatch` if not; `content_agent`: the packet is
// readable and names nobody. A packet whose name could not be read is judged by its file name.
[[nodiscard]] Reason check_binding(const keyring::KeyRecord& key, std::string_view file_agent,
                                   const Verdict& verdict);

} // namespace gate::spool
