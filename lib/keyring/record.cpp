#include "lib/keyring/record.h"

#include "lib/base/text.h"
#include "lib/keyring/tlv.h"

#include <algorithm>
#include <cstring>

namespace gate::keyring {

namespace {

// Tags are for ever: a number is never used again for something else.
enum Tag : std::uint16_t {
    k_id = 1,
    k_state = 2,
    k_type = 3,
    k_blob = 4,
    k_agent = 5, // repeated: 32 hexadecimal digits of md5, then the name
    k_revoked_at = 6,
    k_revoke_reason = 7,
    k_binding = 8,
    k_not_before = 9,
    k_expires_at = 10,
    k_from = 11, // repeated
    k_quota_files = 12,
    k_quota_bytes = 13,
    k_max_file_size = 14,
};

constexpr std::string_view k_sha256_prefix = "SHA256:";
constexpr std::size_t k_md5_hex = 32;

template<class T>
[[nodiscard]] Result<void> read_number(const TlvField& field, std::uint64_t max, T& out) {
    GATE_TRY(const std::uint64_t n, field.number_up_to(max));
    out = static_cast<T>(n);
    return {};
}

[[nodiscard]] Result<void> apply(const TlvField& field, KeyRecord& r) {
    switch (field.tag) {
    case k_id:
        r.id = field.value;
        return {};
    case k_state: {
        GATE_TRY(const std::uint64_t n, field.number());
        if (n < static_cast<std::uint64_t>(KeyState::active) ||
            n > static_cast<std::uint64_t>(KeyState::disabled))
            return fail(Errc::version, "a key has a state that this program does not know");
        r.state = static_cast<KeyState>(n);
        return {};
    }
    case k_type:
        r.type = field.value;
        return {};
    case k_blob:
        r.blob = field.value;
        return {};
    case k_agent:
        if (field.value.size() <= k_md5_hex)
            return fail(Errc::damaged, "an agent in the keyring has no name");
        r.agents.push_back(
            {std::string(field.value.substr(k_md5_hex)), std::string(field.value.substr(0, k_md5_hex))});
        return {};
    case k_revoked_at:
        return read_number(field, INT64_MAX, r.revoked_at);
    case k_not_before:
        return read_number(field, INT64_MAX, r.not_before);
    case k_expires_at:
        return read_number(field, INT64_MAX, r.expires_at);
    case k_from:
        if (r.from.size() == k_max_from)
            return fail(Errc::damaged, "a key in the keyring has too many addresses");
        r.from.emplace_back(field.value);
        return {};
    case k_quota_files:
        return read_number(field, UINT32_MAX, r.limits.quota_files);
    case k_quota_bytes:
        return read_number(field, UINT64_MAX, r.limits.quota_bytes);
    case k_max_file_size:
        return read_number(field, UINT64_MAX, r.limits.max_file_size);
    case k_binding: {
        GATE_TRY(const std::uint64_t n, field.number());
        if (n < static_cast<std::uint64_t>(Binding::automatic) ||
            n > static_cast<std::uint64_t>(Binding::off))
            return fail(Errc::version, "a key has a binding that this program does not know");
        r.binding = static_cast<Binding>(n);
        return {};
    }
    case k_revoke_reason:
        r.revoke_reason = field.value;
        return {};
    default:
        return fail(Errc::version, "a key has a field that this program does not know");
    }
}

} // namespace

Result<Fingerprint> parse_fingerprint(std::string_view text) {
    if (!text.starts_with(k_sha256_prefix))
        return fail(Errc::bad_input, "not a SHA256 fingerprint");
    const auto raw = base64_decode_unpadded(text.substr(k_sha256_prefix.size()));
    Fingerprint fp{};
    if (!raw || raw->size() != fp.size())
        return fail(Errc::bad_input, "not a SHA256 fingerprint");
    std::memcpy(fp.data(), raw->data(), fp.size());
    return fp;
}

std::string format_fingerprint(const Fingerprint& fingerprint) {
    return std::string(k_sha256_prefix) + base64_encode(fingerprint, false);
}

Standing standing(const KeyRecord& record, std::int64_t now) {
    if (record.state != KeyState::active)
        return record.state == KeyState::disabled ? Standing::disabled : Standing::revoked;
    if (record.expires_at != 0 && now >= record.expires_at)
        return Standing::expired;
    return now < record.not_before ? Standing::not_yet : Standing::good;
}

const char* describe(Standing standing) {
    switch (standing) {
    case Standing::good:
        return "good";
    case Standing::not_yet:
        return "not yet valid";
    case Standing::expired:
        return "expired";
    case Standing::disabled:
        return "disabled";
    case Standing::revoked:
        break;
    }
    return "revoked";
}

Policy for_key(Policy policy, const Limits& limits) {
    if (limits.quota_files != 0)
        policy.quota_files = limits.quota_files;
    if (limits.quota_bytes != 0)
        policy.quota_bytes = limits.quota_bytes;
    if (limits.max_file_size != 0)
        policy.drop_max_file_size = limits.max_file_size;
    return policy;
}

std::string encode_record(const KeyRecord& r) {
    const auto positive = [](std::int64_t n) {
        return static_cast<std::uint64_t>(std::max<std::int64_t>(n, 0));
    };
    TlvWriter out;
    out.bytes(k_id, r.id);
    out.number(k_state, static_cast<std::uint64_t>(r.state));
    out.bytes(k_type, r.type);
    out.bytes(k_blob, r.blob);
    for (const Agent& agent : r.agents)
        out.bytes(k_agent, agent.md5 + agent.name);
    const std::pair<Tag, std::uint64_t> numbers[] = {
        {k_not_before, positive(r.not_before)},    {k_expires_at, positive(r.expires_at)},
        {k_quota_files, r.limits.quota_files},     {k_quota_bytes, r.limits.quota_bytes},
        {k_max_file_size, r.limits.max_file_size}, {k_revoked_at, positive(r.revoked_at)},
    };
    for (const auto& [tag, number] : numbers)
        if (number != 0)
            out.number(tag, number);
    for (const std::string& network : r.from)
        out.bytes(k_from, network);
    if (r.binding != Binding::automatic)
        out.number(k_binding, static_cast<std::uint64_t>(r.binding));
    if (!r.revoke_reason.empty())
        out.bytes(k_revoke_reason, r.revoke_reason);
    return out.take();
}

Result<KeyRecord> decode_record(std::string_view bytes) {
    KeyRecord record;
    for (TlvReader in(bytes); !in.done();) {
        GATE_TRY(const TlvField field, in.next());
        GATE_CHECK(apply(field, record));
    }
    if (record.id.empty() || record.type.empty() || record.blob.empty() || record.blob.size() > k_max_blob)
        return fail(Errc::damaged, "a key in the keyring is incomplete");
    return record;
}

} // namespace gate::keyring
