// `keys rotate`: a new key pair for an agent. Both keys are good until the old one's time is over; old and
// new change in one publish, so that no login sees neither.
#include "gatectl/keys/changes.h"
#include "gatectl/keys/commands.h"
#include "gatectl/keys/enter.h"
#include "gatectl/keys/ftp_user.h"
#include "gatectl/keys/json.h"
#include "gatectl/keys/names.h"
#include "gatectl/keys/outcome.h"
#include "gatectl/keys/succession.h"
#include "gatectl/problem.h"
#include "gatectl/publish/change.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <algorithm>

namespace gate::ctl {

namespace {

[[nodiscard]] bool has_agent(const StoredKey& key, const std::string& agent) {
    return std::find(key.agents.begin(), key.agents.end(), agent) != key.agents.end();
}

[[nodiscard]] bool is_active(const StoredKey& key, std::int64_t now) {
    return std::string_view(standing_word(key, now)) == "active";
}

// The active keys that have the agent by its very name; `user`: somebody who sends for it by FTP.
[[nodiscard]] std::vector<StoredKey> active_of(Store& store, const std::string& agent, std::int64_t now,
                                               std::string* user = nullptr) {
    std::vector<StoredKey> out;
    store.each([&](StoredKey& key) {
        if (!has_agent(key, agent) || !is_active(key, now))
            return;
        if (!is_ftp_type(key.type))
            out.push_back(std::move(key));
        else if (user != nullptr)
            *user = key.id;
    });
    return out;
}

[[noreturn]] void has_no_key(const std::string& id) {
    stop(Status::refused,
         "{} sends by FTP and has no key: a password is changed with passwd(1), a key is added with "
         "`pandora-gate keys add`",
         id);
}

[[nodiscard]] std::string names_of(const std::vector<StoredKey>& keys) {
    constexpr std::size_t k_named = 5; // in a message
    std::string out;
    for (std::size_t i = 0; i < keys.size() && i < k_named; ++i)
        out += (i == 0 ? "" : ", ") + keys[i].id;
    return keys.size() > k_named ? out + ", ..." : out;
}

[[nodiscard]] StoredKey find_old(Store& store, const RotateRequest& request, std::int64_t now) {
    const std::string agent = escape_visible(request.agent);
    if (!request.key.empty()) {
        StoredKey key = select_key(store, request.key);
        if (is_ftp_type(key.type))
            has_no_key(key.id);
        if (!has_agent(key, request.agent))
            stop(Status::refused, "the key {} is not for agent \"{}\": see `pandora-gate keys show {}`",
                 key.id, agent, key.id);
        if (key.state != keyring::KeyState::active)
            stop(Status::refused, "the key {} is {}: add the new one with `pandora-gate keys add`", key.id,
                 word_of(key.state));
        return key;
    }
    std::string user;
    auto found = active_of(store, request.agent, now, &user);
    if (found.empty() && !user.empty())
        has_no_key(user);
    if (found.empty())
        stop(Status::refused,
             "no active key is for agent \"{}\" by this very name: see `pandora-gate keys list --agent`, or "
             "add "
             "the new one with `pandora-gate keys add`",
             agent);
    if (found.size() > 1)
        stop(Status::refused, "agent \"{}\" has {} active keys ({}): say which one ends with --key KEY",
             agent, found.size(), names_of(found));
    return std::move(found.front());
}

// The new key is in the store: fine if a rotation has put it there, and the old ones are ending.
void check_rotated(Store& store, const StoredKey& key, const RotateRequest& request, std::int64_t now) {
    refuse_revoked(key);
    if (!has_agent(key, request.agent) || !is_active(key, now))
        stop(Status::refused, "the new key is already there as {}, {}: see `pandora-gate keys show {}`",
             key.id, is_active(key, now) ? "for another agent" : standing_word(key, now), key.id);
    for (const StoredKey& other : active_of(store, request.agent, now))
        if (other.number != key.number && other.expires_at == 0)
            stop(Status::refused,
                 "the new key is already there as {}, but {} has no end: give it one with `pandora-gate keys "
                 "set {} --expires {}`",
                 key.id, other.id, other.id, escape_visible(request.overlap));
}

[[nodiscard]] std::string what_was_done(const StoredKey& old, const StoredKey& key, std::int64_t now) {
    return fmt::format("added {} {} ({}) for agent {}\n{} {} {} {}\n", key.id, key.fingerprint, key.type,
                       list_agents(key.agents), old.id, old.fingerprint,
                       old.expires_at <= now ? "has expired on" : "expires on", time_text(old.expires_at));
}

} // namespace

std::string rotate_key(Context& context, const RotateRequest& request) {
    const std::int64_t now = wall_clock_us() / 1'000'000;
    static_cast<void>(check_agents({request.agent}));
    if (!request.id.empty())
        check_key_id(request.id);
    const PublicKey parsed = read_public_key(request.new_key);
    const std::int64_t end = now + parse_length("--overlap", request.overlap);
    const std::int64_t expires = request.expires.empty() ? 0 : parse_expiry(request.expires, now);
    const keyring::Policy policy = policy_in_force(context);

    Outcome outcome{.action = "rotate", .keys = {}, .as_was = {}, .text = {}, .published = {}};
    outcome.published = change_and_publish(context, PolicyFrom::keyring, [&](Store& store) {
        const auto there = store.find_fingerprint(keyring::format_fingerprint(parsed.fingerprint));
        if (there && !there->removed()) {
            check_rotated(store, *there, request, now);
            outcome.text = fmt::format("{} {} is already there for agent {}, nothing changed\n", there->id,
                                       there->fingerprint, list_agents(there->agents));
            outcome.as_was.push_back(*there);
            return false;
        }
        const StoredKey before = find_old(store, request, now);
        StoredKey key = successor(before, parsed);
        key.expires_at = expires;
        check_policy(policy, key, parsed);
        enter(store, key, parsed, request.id, there,
              note_of(context, "rotate", fmt::format("in place of {} {}", before.id, before.fingerprint)));
        StoredKey old = end_by(context, store, before, key, end);
        outcome.text = what_was_done(old, key, now);
        outcome.keys = {std::move(key), std::move(old)};
        return true;
    });
    return finish(context, outcome);
}

} // namespace gate::ctl
