// What a backup may hold and what it says of itself: its first member, MANIFEST, lists all others with their
// sizes and SHA-256. Nothing in the archive is used that is not listed there, and nothing is listed there
// whose name is not known here: a name never is a path.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gate::ctl::backup {

inline constexpr int k_format = 1;
inline constexpr std::string_view k_manifest = "MANIFEST";
inline constexpr std::string_view k_store = "store.db";
inline constexpr std::string_view k_keyring = "keyring";
inline constexpr std::string_view k_config = "gate.toml";
inline constexpr std::string_view k_pause = "pause";
inline constexpr std::string_view k_memory_prefix = "state/";
inline constexpr std::string_view k_host_key_prefix = "ssh/";

inline constexpr std::uint64_t k_mega = std::uint64_t{1} << 20;
// A state file for each of a million keys, and the rest.
inline constexpr std::size_t k_max_members = 1'048'576;
// Of that many members with room for 200 bytes each.
inline constexpr std::uint64_t k_max_manifest = 256 * k_mega;
// What a member has to be stored in; a store of a million keys with a long history has 1 GB.
inline constexpr std::uint64_t k_max_total = 65'536 * k_mega;

enum class Kind : std::uint8_t { store, keyring, config, pause, memory, host_key, host_key_public };

// nullopt: nothing that belongs into a backup.
[[nodiscard]] std::optional<Kind> kind_of(std::string_view name);
// The largest that such a member can honestly be, in bytes.
[[nodiscard]] std::uint64_t cap_of(Kind kind);

struct Member {
    std::string name;
    std::uint64_t size = 0; // bytes
    std::uint32_t mode = 0; // permission bits
    std::int64_t mtime_ns = 0;
    std::string sha256{}; // 64 lower-case hexadecimal digits
};

struct Manifest {
    int format = k_format;
    std::string program;      // the version that wrote it
    std::int64_t made_at = 0; // seconds since the epoch
    std::string host;
    std::uint64_t generation = 0; // of the store
    int schema = 0;               // version of the store
    std::vector<Member> members;

    [[nodiscard]] const Member* find(std::string_view name) const;
    [[nodiscard]] std::size_t count(Kind kind) const;
};

[[nodiscard]] std::string to_text(const Manifest& manifest);
// `shown` is how messages call the archive. Throws Problem (bad_data) for what this program would not have
// written, another format included.
[[nodiscard]] Manifest parse_manifest(std::string_view text, const std::string& shown);

} // namespace gate::ctl::backup
