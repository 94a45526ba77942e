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

// Does a packet have to be of an agent that its key was added for?
enum class Binding : std::uint8_t {
    automatic = 1, // of a key: the policy's; of the policy: enforce
    enforce = 2,   // what does not agree goes into quarantine, or is refused by its name
    observe = 3,   // it is delivered, and the audit says what enforce would have done
    off = 4,
};

// What a key may do that was added without any agent.
enum class Unbound : std::uint8_t {
    learn = 1,  // deliver; its first packets propose a name for the administrator to accept
    allow = 2,  // deliver
    refuse = 3, // nothing
};

enum class Recursive : std::uint8_t {
    refuse = 1,
    flatten = 2, // `scp -r`: the files are taken as if they lay in data_in itself
};

// What an agent's own new key is, sent in under its active one.
enum class Rotation : std::uint8_t {
    off = 1,       // refused
    pending = 2,   // it waits for the administrator
    automatic = 3, // good at once; the old one ends after an overlap
};

enum class AuditMode : std::uint8_t {
    best_effort = 1, // a logger that is away costs the trail and no packet
    required = 2,    // a file that the audit cannot be told of beforehand is refused
};

// spool_gid of a policy that leaves the group to the directory (its set-group-ID bit).
inline constexpr std::uint32_t k_inherit_group = UINT32_MAX;
// ftp_uid and ftp_gid of a policy without FTP.
inline constexpr std::uint32_t k_no_ftp_user = UINT32_MAX;

// Sizes are bytes, times seconds unless the name says otherwise. The values here are the shipped defaults.
struct Policy {
    std::string account_user = "pandora";
    // What `publish` checks of the account, and prepares for it.
    std::string account_group = "pandora";
    std::string account_shells =
        "/usr/sbin/nologin,/sbin/nologin,/bin/false,/usr/bin/false," GATE_LIBEXECDIR "/drop"; // by commas

    std::string spool_directory = "/var/spool/pandora/data_in";
    std::string spool_staging = "/var/spool/pandora/staging";
    // The gid that spool.group named when the policy was compiled: the login path asks no name service.
    std::uint32_t spool_gid = k_inherit_group;
    std::uint32_t spool_mode = 0660;
    Durability spool_durability = Durability::full;
    StagingMethod spool_staging_method = StagingMethod::automatic;
    std::uint64_t spool_min_free = 64'000'000;
    std::uint32_t spool_min_free_percent = 2;
    std::string spool_quarantine = "/var/spool/pandora/quarantine";
    std::uint32_t spool_max_backlog = 50'000;    // files that may wait in data_in
    std::uint32_t spool_resend_window = 60 * 60; // seconds; 0: no memory of what was sent

    // Of one key, in all its sessions, within any `window` seconds. Windows slide.
    std::uint32_t quota_files = 2000;
    std::uint64_t quota_bytes = 256'000'000;
    std::uint32_t quota_window = 5 * 60;

    bool content_check = true;
    std::uint64_t quarantine_max_size = 256'000'000;       // bytes on the disk
    std::uint32_t quarantine_max_age = 30U * 24 * 60 * 60; // seconds

    Binding binding_default = Binding::automatic;
    Unbound binding_unbound_keys = Unbound::learn;

    std::uint64_t drop_max_file_size = 2'000'000;
    std::uint64_t drop_session_files = 10'000;
    std::uint64_t drop_session_bytes = 512'000'000;
    std::uint32_t drop_idle_timeout = 30;
    std::uint32_t drop_session_timeout = 600;
    Recursive drop_recursive = Recursive::refuse;

    // What `keys add` takes.
    std::uint32_t keys_min_rsa_bits = 2048;
    std::string keys_types = "ed25519,ecdsa,rsa,sk-ed25519,sk-ecdsa"; // by commas
    // Does sshd hear when a key ends (expiry-time=)? authkeys and drop ask for themselves either way.
    bool keys_expiry_option = true;
    Rotation keys_rotation = Rotation::off;

    AuditMode audit_mode = AuditMode::best_effort;
    bool audit_key_served = false;
    // The same refusal by the same key within this time is counted, not told; 0: each is told.
    std::uint32_t audit_repeat_window = 60 * 60;

    bool ftp_enabled = false;
    std::string ftp_directory = "/var/spool/pandora/ftp";
    // What ftp.user was when the policy was compiled, and its primary group.
    std::uint32_t ftp_uid = k_no_ftp_user;
    std::uint32_t ftp_gid = k_no_ftp_user;
    std::uint32_t ftp_incomplete_hold = 10 * 60;

    bool operator==(const Policy&) const = default;
};

// The policy section's bytes (little-endian tag-length-value; lib/keyring/tlv.h).
[[nodiscard]] std::string encode_policy(const Policy& policy);
// Errors: damaged (a length or value does not fit), version (a tag this program does not know: a rule that it
// could not enforce must refuse rather than be skipped).
[[nodiscard]] Result<Policy> decode_policy(std::string_view bytes);

} // namespace gate::keyring
