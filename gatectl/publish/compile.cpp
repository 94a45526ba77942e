#include "gatectl/publish/compile.h"

#include "gatectl/keys/ftp_user.h"
#include "gatectl/keys/names.h"
#include "gatectl/keys/network.h"
#include "gatectl/keys/public_key.h"
#include "gatectl/problem.h"
#include "lib/base/md5.h"
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

[[nodiscard]] bool is_network(const std::string& text) {
    try {
        return !parse_network(text).empty();
    } catch (const Problem&) {
        return false;
    }
}

} // namespace

void compile(const LoginRow& row, keyring::KeyRecord& record) {
    const std::string_view id = row.text(LoginRow::id);
    const auto damaged = [id](const char* what) {
        stop(Status::bad_data, "the key {} in the store is damaged: {}; restore the store from a backup",
             escape_visible(id), what);
    };
    record.id = id;
    record.type = row.text(LoginRow::type);
    if (!base64_decode(row.text(LoginRow::blob), record.blob))
        damaged("its base64 is wrong");
    try {
        if (is_ftp_type(record.type))
            static_cast<void>(user_in_blob(record.blob));
        else
            check_blob(record.type, record.blob);
    } catch (const Problem& problem) {
        damaged(problem.what());
    }
    if (!is_row_id(id, record.type, record.blob))
        damaged("its id is not one");
    record.fingerprint = sha256(as_bytes(record.blob));
    if (!keyring::is_fingerprint(record.fingerprint, row.text(LoginRow::fingerprint)))
        damaged("its fingerprint is another key's");
    std::size_t agents = 0;
    for_each_part(row.text(LoginRow::agents), '/', [&](std::string_view name) {
        if (wrong_with_agent(name) != nullptr)
            damaged("an agent's name is not one");
        if (agents == record.agents.size())
            record.agents.emplace_back();
        keyring::Agent& agent = record.agents[agents++];
        agent.name = name;
        if (agent.is_pattern())
            agent.md5 = k_no_md5;
        else
            md5_name(name, agent.md5);
    });
    record.agents.resize(agents);
    const auto binding = std::find_if(std::begin(k_bindings), std::end(k_bindings), [&row](const auto& b) {
        return b.first == row.text(LoginRow::binding);
    });
    if (binding == std::end(k_bindings))
        damaged("its binding is none");
    record.binding = binding->second;
    record.not_before = row.not_before;
    record.expires_at = row.expires_at;
    // A keyring has no negative dates: such an end would be none.
    if (row.not_before < 0 || row.expires_at < 0)
        damaged("one of its dates is none");
    record.from = split(row.text(LoginRow::sources), ',');
    if (record.from.size() > keyring::k_max_from ||
        !std::all_of(record.from.begin(), record.from.end(), is_network))
        damaged("one of its networks is none");
    record.limits = row.limits;
    record.state = state_of(row.text(LoginRow::state));
    const bool active = record.state == keyring::KeyState::active;
    record.revoked_at = active ? 0 : row.state_at;
    record.revoke_reason = active ? std::string_view() : row.text(LoginRow::state_reason);
}

keyring::KeyRecord compile(const StoredKey& key) {
    keyring::KeyRecord record;
    compile(login_row(key), record);
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
