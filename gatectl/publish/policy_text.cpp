#include "gatectl/publish/policy_text.h"

#include <fmt/format.h>

namespace gate::ctl {

namespace {

using keyring::Policy;

[[nodiscard]] std::string seconds(std::uint64_t n) {
    return std::to_string(n) + 's';
}

[[nodiscard]] std::string yes_or_no(bool yes) {
    return yes ? "true" : "false";
}

[[nodiscard]] std::string group(std::uint32_t gid) {
    return gid == keyring::k_inherit_group ? "(the directory's)" : fmt::format("gid {}", gid);
}

[[nodiscard]] std::string ftp_user(std::uint32_t uid, std::uint32_t gid) {
    return uid == keyring::k_no_ftp_user ? "(FTP is off)" : fmt::format("uid {} gid {}", uid, gid);
}

[[nodiscard]] const char* word(keyring::Durability d) {
    return d == keyring::Durability::full ? "full" : d == keyring::Durability::file ? "file" : "none";
}

[[nodiscard]] const char* word(keyring::StagingMethod m) {
    return m == keyring::StagingMethod::named ? "named" : "automatic";
}

[[nodiscard]] const char* word(keyring::Binding b) {
    switch (b) {
    case keyring::Binding::automatic:
        return "(not set: enforce)";
    case keyring::Binding::enforce:
        return "enforce";
    case keyring::Binding::observe:
        return "observe";
    case keyring::Binding::off:
        break;
    }
    return "off";
}

[[nodiscard]] const char* word(keyring::Unbound u) {
    return u == keyring::Unbound::learn ? "learn" : u == keyring::Unbound::allow ? "allow" : "refuse";
}

[[nodiscard]] const char* word(keyring::Recursive r) {
    return r == keyring::Recursive::flatten ? "flatten" : "refuse";
}

[[nodiscard]] const char* word(keyring::Rotation r) {
    return r == keyring::Rotation::off ? "off" : r == keyring::Rotation::pending ? "pending" : "auto";
}

[[nodiscard]] const char* word(keyring::AuditMode m) {
    return m == keyring::AuditMode::required ? "required" : "best-effort";
}

} // namespace

std::vector<SettingText> policy_text(const Policy& p) {
    return {
        {"account.user", p.account_user},
        {"account.group", p.account_group},
        {"account.shells", p.account_shells},
        {"spool.directory", p.spool_directory},
        {"spool.staging", p.spool_staging},
        {"spool.quarantine", p.spool_quarantine},
        {"spool.mode", fmt::format("{:04o}", p.spool_mode)},
        {"spool.group", group(p.spool_gid)},
        {"spool.durability", word(p.spool_durability)},
        {"spool.staging_method", word(p.spool_staging_method)},
        {"spool.min_free", std::to_string(p.spool_min_free)},
        {"spool.min_free_percent", std::to_string(p.spool_min_free_percent)},
        {"spool.max_backlog", std::to_string(p.spool_max_backlog)},
        {"spool.resend_window", seconds(p.spool_resend_window)},
        {"drop.max_file_size", std::to_string(p.drop_max_file_size)},
        {"drop.session_files", std::to_string(p.drop_session_files)},
        {"drop.session_bytes", std::to_string(p.drop_session_bytes)},
        {"drop.idle_timeout", seconds(p.drop_idle_timeout)},
        {"drop.session_timeout", seconds(p.drop_session_timeout)},
        {"drop.recursive", word(p.drop_recursive)},
        {"quota.files", std::to_string(p.quota_files)},
        {"quota.bytes", std::to_string(p.quota_bytes)},
        {"quota.window", seconds(p.quota_window)},
        {"content.check", yes_or_no(p.content_check)},
        {"quarantine.max_size", std::to_string(p.quarantine_max_size)},
        {"quarantine.max_age", seconds(p.quarantine_max_age)},
        {"binding.default", word(p.binding_default)},
        {"binding.unbound_keys", word(p.binding_unbound_keys)},
        {"keys.min_rsa_bits", std::to_string(p.keys_min_rsa_bits)},
        {"keys.types", p.keys_types},
        {"keys.expiry_option", yes_or_no(p.keys_expiry_option)},
        {"keys.rotation", word(p.keys_rotation)},
        {"audit.mode", word(p.audit_mode)},
        {"audit.key_served", yes_or_no(p.audit_key_served)},
        {"audit.repeat_window", seconds(p.audit_repeat_window)},
        {"ftp.enabled", yes_or_no(p.ftp_enabled)},
        {"ftp.directory", p.ftp_directory},
        {"ftp.user", ftp_user(p.ftp_uid, p.ftp_gid)},
        {"ftp.incomplete_hold", seconds(p.ftp_incomplete_hold)},
    };
}

std::vector<std::string> policy_changes(const Policy& before, const Policy& after) {
    const auto old = policy_text(before);
    const auto now = policy_text(after);
    std::vector<std::string> out;
    for (std::size_t i = 0; i < now.size(); ++i)
        if (old[i].value != now[i].value)
            out.push_back(fmt::format("{}: {} -> {}", now[i].name, old[i].value, now[i].value));
    return out;
}

} // namespace gate::ctl
