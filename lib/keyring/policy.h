// The compiled policy: what gate.toml said when the keyring was published. It travels inside the keyring, so
// that keys and rules change together and a login never parses text.
#pragma once

#include "lib/base/result.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gate::keyring {

enum class Durability : std::uint8_t {
    full =
        1, // fdatasync of the file, link, fsync of the directory: an acknowledged packet survives a power cut
    file = 2, // fdatasync of the file only
    none = 3, // the kernel writes back when it likes
};

enum class StagingMethod : std::uint8_t {
    automatic = 1, // O_TMPFILE, or a named file where the file system has none
    named = 2,     // always the named file (the fallback; also a way to test it)
};

// spool_gid of a policy that leaves the group to the directory (its set-group-ID bit).
inline constexpr std::uint32_t k_inherit_group = UINT32_MAX;

// Sizes are bytes, times seconds unless the name says otherwise. The values here are the shipped defaults.
struct Policy {
    std::string account_user = "pandora";

    std::string spool_directory = "/var/spool/pandora/data_in";
    std::string spool_staging = "/var/spool/pandora/staging";
    // The gid that spool.group named when the policy was compiled: the login path asks no name service.
    std::uint32_t spool_gid = k_inherit_group;
    std::uint32_t spool_mode = 0660;
    Durability spool_durability = Durability::full;
    StagingMethod spool_staging_method = StagingMethod::automatic;
    std::uint64_t spool_min_free = 64'000'000;
    std::uint32_t spool_min_free_percent = 2;

    std::uint64_t drop_max_file_size = 2'000'000;
    std::uint64_t drop_session_files = 10'000;
    std::uint64_t drop_session_bytes = 512'000'000;
    std::uint32_t drop_idle_timeout = 30;
    std::uint32_t drop_session_timeout = 600;

    bool audit_key_served = false;

    bool operator==(const Policy&) const = default;
};

// The policy section's bytes (little-endian tag-length-value; lib/keyring/tlv.h).
[[nodiscard]] std::string encode_policy(const Policy& policy);
// Errors: damaged (a length or value does not fit), version (a tag this program does not know: a rule that it
// could not enforce must refuse rather than be skipped).
[[nodiscard]] Result<Policy> decode_policy(std::string_view bytes);

} // namespace gate::keyring
