#include "gatectl/keys/terms.h"

#include "gatectl/keys/when.h"
#include "gatectl/problem.h"
#include "gatectl/publish/settings.h"
#include "gatectl/publish/units.h"
#include "lib/base/text.h"
#include "lib/keyring/record.h"

namespace gate::ctl {

namespace {

// As settings.cpp has them for quota.files, quota.bytes and drop.max_file_size.
constexpr std::uint64_t k_most_files = 100'000;
constexpr std::uint64_t k_most_bytes = std::uint64_t{1} << 40;
constexpr std::uint64_t k_most_file_size = std::uint64_t{64} << 20;

constexpr std::string_view k_default = "default";

[[nodiscard]] std::uint64_t parse_limit(const char* what, std::string_view text, std::uint64_t most) {
    if (text == k_default)
        return 0;
    const auto size = parse_size(text);
    if (!size)
        stop(Status::usage, "{}: '{}' is no size: write it as 64MB or 2MiB, or `default` for the policy's",
             what, escape_visible(text));
    if (*size < 1 || *size > most)
        stop(Status::usage, "{}: a size goes from 1 byte to {} MiB", what, most >> 20);
    return *size;
}

[[nodiscard]] std::uint32_t parse_files(std::string_view text) {
    if (text == k_default)
        return 0;
    const auto files = parse_u64(text);
    if (!files || *files < 1 || *files > k_most_files)
        stop(Status::usage, "--quota-files: '{}' is no number from 1 to {}, and not `default`",
             escape_visible(text), k_most_files);
    return static_cast<std::uint32_t>(*files);
}

} // namespace

keyring::Limits apply_limits(const LimitWords& words, keyring::Limits limits) {
    if (!words.quota_files.empty())
        limits.quota_files = parse_files(words.quota_files);
    if (!words.quota_bytes.empty())
        limits.quota_bytes = parse_limit("--quota-bytes", words.quota_bytes, k_most_bytes);
    if (!words.max_file_size.empty())
        limits.max_file_size = parse_limit("--max-file-size", words.max_file_size, k_most_file_size);
    return limits;
}

void check_limits(keyring::Policy policy, const keyring::Limits& limits) {
    if (limits == keyring::Limits{})
        return;
    policy = keyring::for_key(std::move(policy), limits);
    if (policy.quota_bytes < policy.drop_max_file_size)
        stop(
            Status::refused,
            "this key could never send a file of the size that it may send: its quota would be {} bytes, its "
            "largest file {} bytes; give --quota-bytes or --max-file-size another value",
            policy.quota_bytes, policy.drop_max_file_size);
    if (const auto wrong = contradictions(policy); !wrong.empty())
        stop(Status::refused, "with these limits of the key {}: give a smaller --max-file-size",
             wrong.front().sentence);
}

std::int64_t parse_expiry(std::string_view text, std::int64_t now) {
    const std::int64_t then = parse_when("--expires", text, now);
    if (then <= now)
        stop(Status::usage,
             "--expires: {} is past: to end a key now, use `pandora-gate keys disable` or `keys revoke`",
             time_text(then));
    return then;
}

void check_validity(std::int64_t not_before, std::int64_t expires_at) {
    if (not_before != 0 && expires_at != 0 && expires_at <= not_before)
        stop(
            Status::usage,
            "the key would never be valid: it would expire on {}, but begin on {}: give a later --expires or "
            "an earlier --not-before",
            time_text(expires_at), time_text(not_before));
}

std::int64_t parse_length(std::string_view what, std::string_view text) {
    if (text == "0")
        return 0;
    // A date is the same from wherever one looks.
    constexpr std::int64_t k_here = 1'000'000'000;
    const std::int64_t then = parse_when(what, text, k_here);
    if (then == parse_when(what, text, k_here + 1))
        stop(Status::usage, "{}: '{}' is a date: give a length of time like 30d, 12h or 2w", what,
             escape_visible(text));
    return then - k_here;
}

std::string expiry_words(std::int64_t expires_at) {
    return expires_at == 0 ? "never" : time_text(expires_at);
}

} // namespace gate::ctl
