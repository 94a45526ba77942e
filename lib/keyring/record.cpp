#include "lib/keyring/record.h"

#include "lib/base/text.h"
#include "lib/keyring/tlv.h"

#include <algorithm>
#include <cstring>
#include <limits>

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
[[nodiscard]] Result<void> read_number(const TlvField& field, std::uint64_t max, KeyRecord* whole,
                                       T KeyRecord::*member) {
    GATE_TRY(const std::uint64_t n, field.number_up_to(max));
    if (whole != nullptr)
        whole->*member = static_cast<T>(n);
    return {};
}

template<class T>
[[nodiscard]] Result<void> read_limit(const TlvField& field, KeyRecord* whole, T Limits::*member) {
    GATE_TRY(const std::uint64_t n, field.number_up_to(std::numeric_limits<T>::max()));
    if (whole != nullptr)
        whole->limits.*member = static_cast<T>(n);
    return {};
}

template<class T>
[[nodiscard]] Result<T> read_choice(const TlvField& field, T first, T last, const char* unknown) {
    GATE_TRY(const std::uint64_t n, field.number());
    if (n < static_cast<std::uint64_t>(first) || n > static_cast<std::uint64_t>(last))
        return fail(Errc::version, unknown);
    return static_cast<T>(n);
}

// One field, into the view and, if there is one, the whole record.
[[nodiscard]] Result<void> apply(const TlvField& field, RecordView& view, KeyRecord* whole) {
    switch (field.tag) {
    case k_id:
        view.id = field.value;
        return {};
    case k_state: {
        GATE_TRY(view.state, read_choice(field, KeyState::active, KeyState::disabled,
                                         "a key has a state that this program does not know"));
        return {};
    }
    case k_type:
        view.type = field.value;
        return {};
    case k_blob:
        view.blob = field.value;
        return {};
    case k_agent:
        if (field.value.size() <= k_md5_hex)
            return fail(Errc::damaged, "an agent in the keyring has no name");
        if (whole != nullptr)
            whole->agents.push_back(
                {std::string(field.value.substr(k_md5_hex)), std::string(field.value.substr(0, k_md5_hex))});
        return {};
    case k_revoked_at:
        return read_number(field, INT64_MAX, whole, &KeyRecord::revoked_at);
    case k_not_before:
        return read_number(field, INT64_MAX, whole, &KeyRecord::not_before);
    case k_expires_at:
        return read_number(field, INT64_MAX, whole, &KeyRecord::expires_at);
    case k_from:
        if (view.networks == k_max_from)
            return fail(Errc::damaged, "a key in the keyring has too many addresses");
        ++view.networks;
        if (whole != nullptr)
            whole->from.emplace_back(field.value);
        return {};
    case k_quota_files:
        return read_limit(field, whole, &Limits::quota_files);
    case k_quota_bytes:
        return read_limit(field, whole, &Limits::quota_bytes);
    case k_max_file_size:
        return read_limit(field, whole, &Limits::max_file_size);
    case k_binding: {
        GATE_TRY(const Binding binding, read_choice(field, Binding::automatic, Binding::off,
                                                    "a key has a binding that this program does not know"));
        if (whole != nullptr)
            whole->binding = binding;
        return {};
    }
    case k_revoke_reason:
        if (whole != nullptr)
            whole->revoke_reason = field.value;
        return {};
    default:
        return fail(Errc::version, "a key has a field that this program does not know");
    }
}

[[nodiscard]] Result<RecordView> parse(std::string_view bytes, KeyRecord* whole) {
    RecordView view;
    for (TlvReader in(bytes); !in.done();) {
        GATE_TRY(const TlvField field, in.next());
        GATE_CHECK(apply(field, view, whole));
    }
    if (view.id.empty() || view.type.empty() || view.blob.empty() || view.blob.size() > k_max_blob)
        return fail(Errc::damaged, "a key in the keyring is incomplete");
    return view;
}

// No less than append_record() writes.
[[nodiscard]] std::size_t room_for(const KeyRecord& r) {
    constexpr std::size_t k_texts = 4;   // id, type, blob, revoke_reason
    constexpr std::size_t k_numbers = 8; // state, binding, three times, three limits
    std::size_t room = k_texts * k_tlv_head + k_numbers * k_tlv_number + r.id.size() + r.type.size() +
                       r.blob.size() + r.revoke_reason.size();
    for (const Agent& agent : r.agents)
        room += k_tlv_head + agent.md5.size() + agent.name.size();
    for (const std::string& network : r.from)
        room += k_tlv_head + network.size();
    return room;
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

bool is_fingerprint(const Fingerprint& fingerprint, std::string_view text) {
    std::array<char, (std::tuple_size_v<Fingerprint> + 2) / 3 * 4> symbols{};
    const char* const end = base64_encode(fingerprint, symbols.data());
    return text.starts_with(k_sha256_prefix) &&
           text.substr(k_sha256_prefix.size()) == std::string_view(symbols.data(), end);
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

void append_record(std::string& out, const KeyRecord& r) {
    const auto positive = [](std::int64_t n) {
        return static_cast<std::uint64_t>(std::max<std::int64_t>(n, 0));
    };
    const std::size_t before = out.size();
    out.resize(before + room_for(r));
    TlvCursor to(out.data() + before);
    to.bytes(k_id, r.id);
    to.number(k_state, static_cast<std::uint64_t>(r.state));
    to.bytes(k_type, r.type);
    to.bytes(k_blob, r.blob);
    for (const Agent& agent : r.agents)
        to.bytes(k_agent, agent.md5, agent.name);
    const std::pair<Tag, std::uint64_t> numbers[] = {
        {k_not_before, positive(r.not_before)},    {k_expires_at, positive(r.expires_at)},
        {k_quota_files, r.limits.quota_files},     {k_quota_bytes, r.limits.quota_bytes},
        {k_max_file_size, r.limits.max_file_size}, {k_revoked_at, positive(r.revoked_at)},
    };
    for (const auto& [tag, number] : numbers)
        if (number != 0)
            to.number(tag, number);
    for (const std::string& network : r.from)
        to.bytes(k_from, network);
    if (r.binding != Binding::automatic)
        to.number(k_binding, static_cast<std::uint64_t>(r.binding));
    if (!r.revoke_reason.empty())
        to.bytes(k_revoke_reason, r.revoke_reason);
    out.resize(static_cast<std::size_t>(to.at() - out.data()));
}

std::string encode_record(const KeyRecord& record) {
    std::string out;
    append_record(out, record);
    return out;
}

Result<KeyRecord> decode_record(std::string_view bytes) {
    KeyRecord record;
    GATE_TRY(const RecordView view, parse(bytes, &record));
    record.id = view.id;
    record.state = view.state;
    record.type = view.type;
    record.blob = view.blob;
    return record;
}

Result<RecordView> check_record(std::string_view bytes) {
    return parse(bytes, nullptr);
}

} // namespace gate::keyring
