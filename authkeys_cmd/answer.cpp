#include "authkeys_cmd/answer.h"

#include "authkeys_cmd/line.h"
#include "lib/keyring/reader.h"

#include <utility>

namespace gate::authkeys {

namespace {

[[nodiscard]] Answer from_keyring_error(const Error& error, std::uint64_t generation) {
    Answer out = refuse(status_of(error.code), error);
    out.generation = generation;
    return out;
}

[[nodiscard]] Answer about_key(const keyring::KeyRecord& key, bool tell_served) {
    Answer out;
    out.key = key.id;
    if (key.state != keyring::KeyState::active) {
        out.status = Status::revoked;
        out.reason = "the key was revoked";
        out.detail = key.revoke_reason;
        return out;
    }
    auto line = compose_line(key);
    if (!line) {
        out.status = Status::unprintable;
        out.reason = line.error().what;
        return out;
    }
    out.status = Status::ok;
    out.tell = tell_served ? Answer::Tell::served : Answer::Tell::nothing;
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

Answer answer(const Request& request) {
    const auto fingerprint = keyring::parse_fingerprint(request.fingerprint);
    if (!fingerprint)
        return refuse(Status::fingerprint, fingerprint.error());
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
        out = about_key(**found, policy->audit_key_served);
    } else {
        out.status = Status::ok;
        out.reason = "no such key";
    }
    out.generation = generation;
    return out;
}

} // namespace gate::authkeys
