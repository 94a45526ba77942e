#include "lib/keyring/policy.h"

#include "lib/keyring/tlv.h"

#include <limits>
#include <type_traits>

namespace gate::keyring {

namespace {

// Tags are for ever: a number is never used again for something else.
enum Tag : std::uint16_t {
    k_account_user = 1,
    k_account_group = 2,
    k_account_shells = 3,
    k_spool_directory = 16,
    k_spool_staging = 17,
    k_spool_gid = 18,
    k_spool_mode = 19,
    k_spool_durability = 20,
    k_spool_staging_method = 21,
    k_spool_min_free = 22,
    k_spool_min_free_percent = 23,
    k_spool_quarantine = 24,
    k_spool_max_backlog = 25,
    k_spool_resend_window = 26,
    k_drop_max_file_size = 32,
    k_drop_session_files = 33,
    k_drop_session_bytes = 34,
    k_drop_idle_timeout = 35,
    k_drop_session_timeout = 36,
    k_drop_recursive = 37,
    k_audit_key_served = 48,
    k_audit_mode = 49,
    k_audit_repeat_window = 50,
    k_quota_files = 64,
    k_quota_bytes = 65,
    k_quota_window = 66,
    k_content_check = 80,
    k_quarantine_max_size = 81,
    k_quarantine_max_age = 82,
    k_binding_default = 96,
    k_binding_unbound_keys = 97,
    k_keys_min_rsa_bits = 112,
    k_keys_types = 113,
    k_keys_expiry_option = 114,
    k_keys_rotation = 115,
    k_ftp_enabled = 128,
    k_ftp_directory = 129,
    k_ftp_uid = 130,
    k_ftp_gid = 131,
    k_ftp_incomplete_hold = 132,
};

// One list of fields for both directions: what is written cannot differ from what is read.
template<class P, class Visitor>
void visit(P& p, Visitor&& v) {
    v(k_account_user, p.account_user);
    v(k_account_group, p.account_group);
    v(k_account_shells, p.account_shells);
    v(k_spool_directory, p.spool_directory);
    v(k_spool_staging, p.spool_staging);
    v(k_spool_gid, p.spool_gid);
    v(k_spool_mode, p.spool_mode);
    v(k_spool_durability, p.spool_durability);
    v(k_spool_staging_method, p.spool_staging_method);
    v(k_spool_min_free, p.spool_min_free);
    v(k_spool_min_free_percent, p.spool_min_free_percent);
    v(k_spool_quarantine, p.spool_quarantine);
    v(k_spool_max_backlog, p.spool_max_backlog);
    v(k_spool_resend_window, p.spool_resend_window);
    v(k_quota_files, p.quota_files);
    v(k_quota_bytes, p.quota_bytes);
    v(k_quota_window, p.quota_window);
    v(k_content_check, p.content_check);
    v(k_quarantine_max_size, p.quarantine_max_size);
    v(k_quarantine_max_age, p.quarantine_max_age);
    v(k_binding_default, p.binding_default);
    v(k_binding_unbound_keys, p.binding_unbound_keys);
    v(k_drop_max_file_size, p.drop_max_file_size);
    v(k_drop_session_files, p.drop_session_files);
    v(k_drop_session_bytes, p.drop_session_bytes);
    v(k_drop_idle_timeout, p.drop_idle_timeout);
    v(k_drop_session_timeout, p.drop_session_timeout);
    v(k_drop_recursive, p.drop_recursive);
    v(k_keys_min_rsa_bits, p.keys_min_rsa_bits);
    v(k_keys_types, p.keys_types);
    v(k_keys_expiry_option, p.keys_expiry_option);
    v(k_keys_rotation, p.keys_rotation);
    v(k_audit_mode, p.audit_mode);
    v(k_audit_key_served, p.audit_key_served);
    v(k_audit_repeat_window, p.audit_repeat_window);
    v(k_ftp_enabled, p.ftp_enabled);
    v(k_ftp_directory, p.ftp_directory);
    v(k_ftp_uid, p.ftp_uid);
    v(k_ftp_gid, p.ftp_gid);
    v(k_ftp_incomplete_hold, p.ftp_incomplete_hold);
}

[[nodiscard]] Result<void> assign(const TlvField& field, std::string& target) {
    if (field.value.find('\0') != std::string_view::npos)
        return fail(Errc::damaged, "a text in the keyring holds a NUL");
    target = field.value;
    return {};
}

template<class T>
requires(std::is_integral_v<T> || std::is_enum_v<T>)
    [[nodiscard]] Result<void> assign(const TlvField& field, T& target) {
    if constexpr (std::is_same_v<T, bool>) {
        GATE_TRY(const std::uint64_t n, field.number_up_to(1));
        target = n != 0;
    } else if constexpr (std::is_enum_v<T>) {
        GATE_TRY(const std::uint64_t n, field.number_up_to(255));
        target = static_cast<T>(n);
    } else {
        GATE_TRY(const std::uint64_t n, field.number_up_to(std::numeric_limits<T>::max()));
        target = static_cast<T>(n);
    }
    return {};
}

[[nodiscard]] Result<void> check_values(const Policy& p) {
    const auto between = [](auto least, auto value, auto most) { return least <= value && value <= most; };
    if (!between(Durability::full, p.spool_durability, Durability::none) ||
        !between(StagingMethod::automatic, p.spool_staging_method, StagingMethod::named) ||
        !between(Binding::automatic, p.binding_default, Binding::off) ||
        !between(Unbound::learn, p.binding_unbound_keys, Unbound::refuse) ||
        !between(Rotation::off, p.keys_rotation, Rotation::automatic) ||
        !between(Recursive::refuse, p.drop_recursive, Recursive::flatten) ||
        !between(AuditMode::best_effort, p.audit_mode, AuditMode::required))
        return fail(Errc::version, "the policy holds a value that this program does not know");
    if (p.account_user.empty() || !p.spool_directory.starts_with('/') || !p.spool_staging.starts_with('/') ||
        !p.spool_quarantine.starts_with('/') || !p.ftp_directory.starts_with('/'))
        return fail(Errc::damaged, "the policy lacks an account or a directory");
    const bool has_ftp_user = p.ftp_uid != k_no_ftp_user && p.ftp_gid != k_no_ftp_user && p.ftp_uid != 0;
    if (p.ftp_enabled && !has_ftp_user)
        return fail(Errc::damaged, "the policy has FTP without a user for it");
    return {};
}

} // namespace

std::string encode_policy(const Policy& policy) {
    TlvWriter out;
    visit(policy, [&out](Tag tag, const auto& value) {
        using T = std::remove_cvref_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::string>)
            out.bytes(tag, value);
        else
            out.number(tag, static_cast<std::uint64_t>(value));
    });
    return out.take();
}

Result<Policy> decode_policy(std::string_view bytes) {
    Policy policy;
    for (TlvReader in(bytes); !in.done();) {
        GATE_TRY(const TlvField field, in.next());
        bool known = false;
        Result<void> outcome;
        visit(policy, [&](Tag tag, auto& target) {
            if (tag != field.tag)
                return;
            known = true;
            outcome = assign(field, target);
        });
        if (!known)
            return fail(Errc::version, "the policy holds a setting that this program does not know");
        GATE_CHECK(outcome);
    }
    GATE_CHECK(check_values(policy));
    return policy;
}

} // namespace gate::keyring
