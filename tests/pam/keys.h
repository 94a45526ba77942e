// A keyring with a key in every standing, and logins made with them.
#pragma once

#include "tests/pam/stack.h"

#include "lib/base/sha256.h"
#include "lib/keyring/writer.h"

#include <ctime>

namespace gate::test {

[[nodiscard]] inline keyring::KeyRecord key(const std::string& id, const std::string& blob,
                                            keyring::KeyState state) {
    keyring::KeyRecord record;
    record.fingerprint = sha256(as_bytes(blob));
    record.id = id;
    record.state = state;
    record.type = "ssh-ed25519";
    record.blob = blob;
    return record;
}

// Any bytes serve as a key: nothing here looks into one.
inline const std::string k_good = "good \xff key";
inline const std::string k_gone = "gone key";
inline const std::string k_old = "old key";
inline const std::string k_early = "early key";
inline const std::string k_off = "off key";

// A keyring of generation 7 with one active key and one for each reason why a key is not good; returns the
// module's options.
[[nodiscard]] inline std::string with_keyring(const std::string& extra = "") {
    keyring::Contents contents;
    contents.generation = 7;
    contents.keys = {
        key("k-good", k_good, keyring::KeyState::active), key("k-gone", k_gone, keyring::KeyState::revoked),
        key("k-old", k_old, keyring::KeyState::active), key("k-early", k_early, keyring::KeyState::active),
        key("k-off", k_off, keyring::KeyState::disabled)};
    contents.keys[2].expires_at = std::time(nullptr);
    contents.keys[3].not_before = std::time(nullptr) + 3600;
    const std::string path = work_dir() + "/keyring";
    faults.root_owns_all = false; // publish looks at the owner, too: of the last one
    CHECK_OK(keyring::publish(path, std::move(contents), ::geteuid()));
    faults.root_owns_all = true;
    return "user=pandora scope=members keyring=" + path + " " + extra;
}

[[nodiscard]] inline std::string auth_info(const std::string& blob) {
    return "SSH_AUTH_INFO_0=publickey ssh-ed25519 " + base64_encode(as_bytes(blob)) + "\n";
}

} // namespace gate::test
