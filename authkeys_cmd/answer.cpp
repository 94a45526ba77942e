#include "authkeys_cmd/answer.h"

#include "authkeys_cmd/line.h"
#include "lib/base/clock.h"
#include "lib/keyring/reader.h"

#include <algorithm>
#include <utility>

namespace gate::authkeys {

namespace {

[[nodiscard]] Answer from_keyring_error(const Error& error, std::uint64_t generation) {
    Answer out = refuse(status_of(error.code), error);
    out.generation = generation;
    return out;
}

[[nodiscard]] std::string utc(std::int64_t seconds) {
    constexpr std::int64_t k_last = 253'402'300'799; // of the year 9999
    std::string text = format_utc(std::min(seconds, k_last) * 1'000'000);
    return text.erase(text.find('.')) + "Z"; // no milliseconds
}

// A key that may not log in now: which, and why not.
[[nodiscard]] Answer not_good(const keyring::KeyRecord& key, keyring::Standing standing) {
    Answer out;
    switch (standing) {
    case keyring::Standing::disabled:
        out.status = Status::disabled;
        out.reason = "the key is disabled";
        out.detail = key.revoke_reason;
        break;
    case keyring::Standing::expired:
        out.status = Status::expired;
        out.reason = "the key has expired";
        out.detail = utc(key.expires_at);
        break;
    case keyring::Standing::not_yet:
        out.status = Status::not_yet;
        out.reason = "the key is not yet valid";
        out.detail = utc(key.not_before);
        break;
    case keyring::Standing::good:
    case keyring::Standing::revoked:
        out.status = Status::revoked;
        out.reason = "the key was revoked";
        out.detail = key.revoke_reason;
    }
    out.key = key.id;
    return out;
}

[[nodiscard]] Answer about_key(const keyring::KeyRecord& key, const keyring::Policy& policy,
                               std::int64_t now) {
    const keyring::Standing standing = keyring::standing(key, now);
    if (standing != keyring::Standing::good)
        return not_good(key, standing);
    Answer out;
    out.key = key.id;
    auto line = compose_line(key, policy.keys_expiry_option ? Expiry::told : Expiry::untold);
    if (!line) {
        out.status = Status::unprintable;
        out.reason = line.error().what;
        return out;
    }
    out.status = Status::ok;
    out.tell = policy.audit_key_served ? Answer::Tell::served : Answer::Tell::nothing;
    out.line = std::move(*line);
    return out;
}

} // namespace

Answer refuse(Status status, const Error& error) {
    Answer out;
    out.status = status;
    out.reason = error.what;
    out.sys_errno = error.sys_errno;
    return out;
}

Answer answer(const Request& request, std::int64_t now) {
    const auto fingerprint = keyring::parse_fingerprint(request.fingerprint);
    if (!fingerprint) {
        Answer out = refuse(Status::fingerprint, fingerprint.error());
        if (request.fingerprint.starts_with("MD5:"))
            out.reason = "sshd gave an MD5 fingerprint, not a SHA256 one";
        return out;
    }
    const auto reader = keyring::Reader::open(request.keyring, request.owner);
    if (!reader)
        return from_keyring_error(reader.error(), 0);
    const std::uint64_t generation = reader->header().generation;
    const auto policy = reader->policy();
    if (!policy)
        return from_keyring_error(policy.error(), generation);
    if (policy->account_user != request.user) {
        Answer out;
        out.status = Status::ok;
        out.tell = Answer::Tell::nothing;
        return out;
    }
    const auto found = reader->find(*fingerprint);
    if (!found)
        return from_keyring_error(found.error(), generation);
    Answer out;
    if (found->has_value()) {
        out = about_key(**found, *policy, now);
    } else {
        out.status = Status::ok;
        out.reason = "no such key";
    }
    out.generation = generation;
    return out;
}

} // namespace gate::authkeys
