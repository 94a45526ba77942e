#include "gatectl/publish/compile.h"

#include "gatectl/crypto.h"
#include "gatectl/keys/names.h"
#include "gatectl/keys/public_key.h"
#include "gatectl/problem.h"
#include "lib/base/sha256.h"
#include "lib/base/text.h"

#include <algorithm>
#include <iterator>

namespace gate::ctl {

namespace {

// Not a digest of anything: no file name matches a pattern by its md5.
const std::string k_no_md5(32, '0');

constexpr std::pair<std::string_view, keyring::Binding> k_bindings[] = {
    {"", keyring::Binding::automatic},
    {"enforce", keyring::Binding::enforce},
    {"observe", keyring::Binding::observe},
    {"off", keyring::Binding::off},
};

} // namespace

keyring::KeyRecord compile(const StoredKey& key) {
    const auto damaged = [&key](const char* what) {
        stop(Status::bad_data, "the key {} in the store is damaged: {}; restore the store from a backup",
             escape_visible(key.id), what);
    };
    keyring::KeyRecord record;
    if (!is_key_id(key.id))
        damaged("its id is not one");
    const auto blob = base64_decode(key.blob);
    if (!blob)
        damaged("its base64 is wrong");
    try {
        check_blob(key.type, *blob);
    } catch (const Problem& problem) {
        damaged(problem.what());
    }
    record.fingerprint = sha256(as_bytes(*blob));
    if (keyring::format_fingerprint(record.fingerprint) != key.fingerprint)
        damaged("its fingerprint is another key's");
    record.id = key.id;
    record.state = key.state;
    record.type = key.type;
    record.blob = *blob;
    for (const std::string& name : key.agents) {
        if (wrong_with_agent(name) != nullptr)
            damaged("an agent's name is not one");
        record.agents.push_back({name, std::string()});
        keyring::Agent& agent = record.agents.back();
        agent.md5 = agent.is_pattern() ? k_no_md5 : md5_hex(name);
    }
    const auto binding = std::find_if(std::begin(k_bindings), std::end(k_bindings),
                                      [&key](const auto& b) { return b.first == key.binding; });
    if (binding == std::end(k_bindings))
        damaged("its binding is none");
    record.binding = binding->second;
    record.not_before = key.not_before;
    record.expires_at = key.expires_at;
    record.from = key.from;
    record.limits = key.limits;
    if (key.state != keyring::KeyState::active) {
        record.revoked_at = key.state_at;
        record.revoke_reason = key.state_reason;
    }
    return record;
}

StoredKey to_stored(const keyring::KeyRecord& record) {
    StoredKey key;
    key.id = record.id;
    key.fingerprint = keyring::format_fingerprint(record.fingerprint);
    key.type = record.type;
    key.blob = base64_encode(as_bytes(record.blob));
    for (const keyring::Agent& agent : record.agents)
        key.agents.push_back(agent.name);
    for (const auto& [word, binding] : k_bindings)
        if (binding == record.binding)
            key.binding = word;
    key.not_before = record.not_before;
    key.expires_at = record.expires_at;
    key.from = record.from;
    key.limits = record.limits;
    key.state = record.state;
    key.state_at = record.revoked_at;
    key.state_reason = record.revoke_reason;
    return key;
}

} // namespace gate::ctl
