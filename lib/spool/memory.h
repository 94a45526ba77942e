// What is known of earlier drops of one key: a ring of (time, size, digest), the refusals that the audit has
// been told of, and the names that the first packets of an unbound key proposed. One file a key in
// k_memory_directory, shared by all its sessions under a lock that nobody holds for long. It makes drops
// happen once and quotas hold; a delivery never depends on it.
#pragma once

#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/base/sha256.h"
#include "lib/keyring/policy.h"
#include "lib/keyring/record.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gate::spool {

// Drops that are remembered at the least, however many a quota lets in.
inline constexpr std::uint32_t k_least_remembered = 4096;
// A living holder needs microseconds; after this the session goes on without memory.
inline constexpr int k_lock_patience_ms = 200;
// Packets of an unbound key that have to agree before a name is proposed.
inline constexpr std::uint32_t k_proposing_packets = 3;

// "k-" and the fingerprint in hexadecimal: the name of a key's file.
[[nodiscard]] std::string memory_name(const keyring::Fingerprint& fingerprint);

// The agents that an unbound key's first packets named.
struct Learned {
    static constexpr std::size_t k_max_agent = 200;
    std::uint32_t packets = 0; // k_proposing_packets at most
    std::array<std::string, k_proposing_packets> names{};

    // All of them agree, and there are enough.
    [[nodiscard]] bool proposes() const;
};

// For `keys learned`. Errors: missing, damaged, system.
[[nodiscard]] Result<Learned> read_learned(const std::string& file, uid_t owner);

} // namespace gate::spool
