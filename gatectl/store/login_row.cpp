#include "gatectl/store/login_row.h"

namespace gate::ctl {

LoginRow login_row(const StoredKey& key) {
    LoginRow row;
    row.append(key.id);
    row.append(key.fingerprint);
    row.append(key.type);
    row.append(key.blob);
    row.append(join(key.agents, '/'));
    row.append(key.binding);
    row.append(join(key.from, ','));
    row.append(word_of(key.state));
    row.append(key.state_reason);
    row.not_before = key.not_before;
    row.expires_at = key.expires_at;
    row.limits = key.limits;
    row.state_at = key.state_at;
    return row;
}

keyring::KeyState state_of(std::string_view word) {
    if (word == "active")
        return keyring::KeyState::active;
    return word == "disabled" ? keyring::KeyState::disabled : keyring::KeyState::revoked;
}

} // namespace gate::ctl
