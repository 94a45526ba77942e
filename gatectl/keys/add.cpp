#include "gatectl/account.h"
#include "gatectl/keys/commands.h"
#include "gatectl/keys/enter.h"
#include "gatectl/keys/ftp_user.h"
#include "gatectl/keys/json.h"
#include "gatectl/keys/names.h"
#include "gatectl/keys/network.h"
#include "gatectl/keys/outcome.h"
#include "gatectl/keys/public_key.h"
#include "gatectl/keys/when.h"
#include "gatectl/problem.h"
#include "gatectl/publish/change.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <algorithm>

namespace gate::ctl {

namespace {

[[nodiscard]] std::vector<std::string> sorted(std::vector<std::string> list) {
    std::sort(list.begin(), list.end());
    return list;
}

[[nodiscard]] std::string name_of(const StoredKey& key) {
    const std::string user = user_of(key);
    return user.empty() ? "this key" : "the user " + user;
}

[[noreturn]] void has_another(const StoredKey& key, const char* what, const char* option,
                              const std::string& wanted) {
    stop(Status::refused,
         "{} is already there as {} with {}: change it with `pandora-gate keys set {} {} {}`", name_of(key),
         key.id, what, key.id, option, wanted);
}

// `90d` was another date when the key was added: the same words are the same wish.
[[nodiscard]] bool is_the_time(std::int64_t time, const char* option, const std::string& words,
                               const StoredKey& key, std::int64_t now) {
    return time == parse_when(option, words, now) || time == parse_when(option, words, key.added_at);
}

void check_terms(const StoredKey& key, const StoredKey& asked, const AddRequest& request, std::int64_t now) {
    if (!request.binding.empty() && request.binding != key.binding)
        has_another(key, "another binding", "--binding", request.binding);
    if (!request.expires.empty() && !is_the_time(key.expires_at, "--expires", request.expires, key, now))
        has_another(key, key.expires_at == 0 ? "no expiry" : "another expiry", "--expires",
                    escape_visible(request.expires));
    if (!request.not_before.empty() &&
        !is_the_time(key.not_before, "--not-before", request.not_before, key, now))
        has_another(key, "another beginning", "--not-before", escape_visible(request.not_before));
    if (!request.from.empty() && sorted(asked.from) != sorted(key.from))
        has_another(key, key.from.empty() ? "no networks" : "other networks", "--from",
                    join(asked.from, ' '));
    if (apply_limits(request.limits, key.limits) != key.limits)
        has_another(key, "other limits", "--quota-files|--quota-bytes|--max-file-size", "...");
    if (!request.approver.empty() && request.approver != key.approver)
        has_another(key, "another approver", "--approver", "...");
    if (!request.note.empty() && request.note != key.note)
        has_another(key, "another note", "--note", "...");
}

// The key is in the store already: fine if it is exactly what was asked for.
void check_existing(const StoredKey& key, const StoredKey& asked, const AddRequest& request,
                    std::int64_t now) {
    refuse_revoked(key);
    if (sorted(key.agents) != sorted(asked.agents))
        stop(Status::refused,
             "{2} is already there as {0} for {1}: give it more agents with `pandora-gate keys bind {0} "
             "--agent NAME`, other ones with `keys set {0} --agent NAME`, or {3} for the other agents",
             key.id, key.agents.empty() ? "no agent" : "agent " + list_agents(key.agents), name_of(key),
             is_ftp_type(key.type) ? "another user" : "make a new key pair");
    if (!request.id.empty() && request.id != key.id)
        stop(Status::refused, "{} is already there under the id {}: an id does not change", name_of(key),
             key.id);
    check_terms(key, asked, request, now);
}

[[nodiscard]] std::string for_whom(const keyring::Policy& policy, const StoredKey& key) {
    if (!key.agents.empty())
        return "agent " + list_agents(key.agents);
    return policy.binding_unbound_keys == keyring::Unbound::learn
               ? "an agent that its first packets will name: see `pandora-gate keys learned`"
               : "any agent";
}

[[nodiscard]] std::string terms_words(const StoredKey& key) {
    std::string out;
    if (!key.from.empty())
        out += ", from " + join(key.from, ' ');
    if (key.not_before != 0)
        out += ", valid from " + time_text(key.not_before);
    if (key.expires_at != 0)
        out += ", expires " + time_text(key.expires_at);
    return out;
}

// The request, judged without the store.
[[nodiscard]] StoredKey read_request(const Context& context, const AddRequest& request,
                                     const PublicKey& parsed, std::int64_t now) {
    StoredKey key;
    take_over(key, parsed);
    key.agents = check_agents(request.agents);
    key.note = request.note.empty() ? parsed.comment.substr(0, k_max_note) : request.note;
    key.approver = request.approver.empty() ? context.operator_name : request.approver;
    key.binding = request.binding;
    if (!request.not_before.empty())
        key.not_before = parse_when("--not-before", request.not_before, now);
    if (!request.expires.empty())
        key.expires_at = parse_when("--expires", request.expires, now);
    check_validity(key.not_before, key.expires_at);
    key.from = check_networks(request.from);
    key.limits = apply_limits(request.limits, {});
    return key;
}

[[nodiscard]] std::string there_words(const StoredKey& key, std::int64_t now) {
    const std::string state = standing_word(key, now);
    return fmt::format("{} {} is already there{}, nothing changed\n", key.id, key.fingerprint,
                       state == "active" ? "" : " (" + state + ")");
}

// A user who comes before his account, or before FTP is on, is no mistake.
void remark_on_user(Context& context, const keyring::Policy& policy, const std::string& user) {
    if (!find_account(user))
        context.remarks.push_back(fmt::format("the user {} does not exist on this machine yet", user));
    if (!policy.ftp_enabled)
        context.remarks.emplace_back("nothing is taken by FTP until ftp.enabled is true in gate.toml, and "
                                     "published");
}

[[nodiscard]] PublicKey read_sender(const AddRequest& request) {
    if (request.ftp_user.empty())
        return read_public_key(request.key);
    if (!request.from.empty())
        stop(Status::usage, "--from does not go with --ftp: where users may log in from is said by rhost= of "
                            "pam_pandora");
    return ftp_user_row(request.ftp_user);
}

} // namespace

std::string add_key(Context& context, const AddRequest& request) {
    const std::int64_t now = wall_clock_us() / 1'000'000;
    check_text("note", request.note);
    check_text("approver", request.approver);
    check_binding_word(request.binding);
    if (!request.id.empty())
        check_key_id(request.id);
    const PublicKey parsed = read_sender(request);
    StoredKey key = read_request(context, request, parsed, now);
    const keyring::Policy policy = policy_in_force(context);

    Outcome outcome{.action = "add", .keys = {}, .as_was = {}, .text = {}, .published = {}};
    outcome.published = change_and_publish(context, PolicyFrom::keyring, [&](Store& store) {
        auto there = store.find_fingerprint(key.fingerprint);
        if (there && !there->removed()) {
            check_existing(*there, key, request, now);
            outcome.text = there_words(*there, now);
            outcome.as_was.push_back(std::move(*there));
            return false;
        }
        if (!request.expires.empty())
            key.expires_at = parse_expiry(request.expires, now);
        check_policy(policy, key, parsed);
        check_limits(policy, key.limits);
        enter(store, key, parsed, request.id, there, note_of(context, "add", key.note));
        outcome.text = fmt::format("added {} {} ({}) for {}{}{}\n", key.id, key.fingerprint, key.type,
                                   for_whom(policy, key), terms_words(key),
                                   there ? "; it was removed on " + time_text(there->removed_at) : "");
        outcome.keys.push_back(key);
        return true;
    });
    if (!outcome.keys.empty())
        remark_on_patterns(context, key.agents);
    if (!outcome.keys.empty() && !request.ftp_user.empty())
        remark_on_user(context, policy, request.ftp_user);
    return finish(context, outcome);
}

} // namespace gate::ctl
