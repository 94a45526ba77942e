#include "gatectl/enrol/hand_over.h"

#include "gatectl/enrol/code_file.h"
#include "gatectl/keys/accept.h"
#include "gatectl/keys/commands.h"
#include "gatectl/keys/enter.h"
#include "gatectl/keys/json.h"
#include "gatectl/keys/names.h"
#include "gatectl/keys/outcome.h"
#include "gatectl/keys/succession.h"
#include "gatectl/problem.h"
#include "gatectl/publish/change.h"
#include "gatectl/store/location.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/enrol/codes.h"

#include <algorithm>

namespace gate::ctl {

namespace {

using enrol::Answer;
using enrol::Reply;
using enrol::Wish;
using Kind = enrol::Ticket::Kind;

[[nodiscard]] std::int64_t seconds_now() {
    return wall_clock_us() / 1'000'000;
}

// One request, with all that is said of it.
class HandOver {
  public:
    HandOver(Context& context, HandedOver& login, const PublicKey& parsed)
        : context_(context), login_(login), parsed_(parsed), now_(seconds_now()),
          policy_(policy_in_force(context)) {
        login_.fingerprint = keyring::format_fingerprint(parsed.fingerprint);
        if (const auto wrong = wrong_with_policy(policy_, parsed.type, parsed.blob); !wrong.empty())
            stop(Status::bad_data, "{}", wrong);
    }

    [[nodiscard]] Reply answer() {
        demand_not_lost(context_.store, context_.keyring);
        const Kind kind = login_.ticket.kind;
        if (login_.wish == Wish::enrol && kind == Kind::code)
            return with_code();
        if (login_.wish == Wish::enrol && kind == Kind::password)
            return with_password();
        if (login_.wish == Wish::rotate && kind == Kind::key)
            return rotate();
        stop(Status::refused, "a login of this kind may not ask for that");
    }

  private:
    [[nodiscard]] StoredCode good_code(Store& store) const {
        for (StoredCode& code : store.codes()) {
            if (code.id != login_.ticket.subject)
                continue;
            if (code.state == StoredCode::State::used && code.used_key == login_.fingerprint)
                return std::move(code); // the answer may have been lost
            if (code.state != StoredCode::State::open)
                stop(Status::refused, "the code {} is {}", code.id, word_of(code.state));
            if (!enrol::holds_at(code.made_at, code.expires_at, now_))
                stop(Status::refused, "the code {} has expired", code.id);
            if (!comes_from(login_.ticket.peer, code.from))
                stop(Status::refused, "the code {} is not for {}", code.id,
                     escape_visible(login_.ticket.peer));
            return std::move(code);
        }
        stop(Status::refused, "there is no code {}", escape_visible(login_.ticket.subject));
    }

    // A key that is there is fine if it is good, and for the same agents.
    void demand_same(const StoredKey& there, std::vector<std::string> agents) const {
        refuse_revoked(there);
        std::vector<std::string> its = there.agents;
        std::sort(its.begin(), its.end());
        std::sort(agents.begin(), agents.end());
        if (its != agents)
            stop(Status::refused, "the key is already there as {} for other agents", there.id);
        if (const std::string_view state = standing_word(there, now_); state != "active")
            stop(Status::refused, "the key is already there as {} and {}", there.id, state);
    }

    [[nodiscard]] StoredKey key_of(const StoredCode& code) const {
        StoredKey key;
        take_over(key, parsed_);
        key.agents = code.agents;
        key.from = code.from;
        key.expires_at = code.key_expires_at;
        key.note = code.note.empty() ? parsed_.comment.substr(0, k_max_note) : code.note;
        key.approver = code.made_by;
        if (key.expires_at != 0 && key.expires_at <= now_)
            stop(Status::refused, "the key that the code {} lets in would have expired on {}", code.id,
                 time_text(key.expires_at));
        check_policy(policy_, key, parsed_);
        return key;
    }

    [[nodiscard]] Reply with_code() {
        context_.operator_name = "enrolment code " + login_.ticket.subject;
        Outcome outcome{.action = "add", .keys = {}, .as_was = {}, .text = {}, .published = {}};
        StoredKey key;
        outcome.published = change_and_publish(context_, PolicyFrom::keyring, [&](Store& store) {
            StoredCode code = good_code(store);
            auto there = store.find_fingerprint(login_.fingerprint);
            const bool is_there = there && !there->removed();
            const bool again = code.state == StoredCode::State::used;
            if (again && !is_there) // an administrator took it out since
                stop(Status::refused, "the code {} is used", code.id);
            if (is_there) {
                demand_same(*there, code.agents);
                key = std::move(*there);
                if (again)
                    return false;
            } else {
                key = key_of(code);
                enter(store, key, parsed_, {}, there,
                      note_of(context_, "add", fmt::format("enrolled with code {}", code.id)));
                outcome.keys.push_back(key);
                if (code.replaces)
                    for (StoredKey& old : end_others(context_, store, key, now_))
                        outcome.keys.push_back(std::move(old));
            }
            code.state = StoredCode::State::used;
            code.state_at = now_;
            code.state_by = login_.ticket.peer;
            code.used_key = login_.fingerprint;
            store.update_code(code);
            return true; // also for a key that was there: the code is used up
        });
        static_cast<void>(finish(context_, outcome));
        forget_code();
        return accepted(key, outcome.published.generation);
    }

    // The store knows that the code was used; the file follows, and until then a login with it can do
    // nothing.
    void forget_code() {
        try {
            write_code_file(context_);
        } catch (const Problem& problem) {
            context_.remarks.emplace_back(problem.what());
        }
    }

    [[nodiscard]] Reply accepted(const StoredKey& key, std::uint64_t generation) {
        login_.key = key.id;
        login_.agents = join(key.agents, '/');
        tell_accepted(context_, login_, generation);
        return {Answer::accepted, fmt::format("the key is accepted for agent {} and works from now on",
                                              list_agents(key.agents))};
    }

    [[nodiscard]] Reply wait(Store& store, Store::Transaction& transaction, const std::string& in_place_of) {
        const std::vector<PendingKey> waiting = store.pending();
        const std::string site = site_of(login_.ticket.peer);
        std::size_t of_site = 0;
        for (const PendingKey& other : waiting) {
            if (other.fingerprint == login_.fingerprint)
                return waits(other.id);
            if (!in_place_of.empty() && other.in_place_of == in_place_of)
                stop(Status::refused, "another key waits to take its place: {}", other.id);
            of_site += other.site == site && other.asked_at > now_ - k_pending_window ? 1U : 0U;
        }
        if (waiting.size() >= k_max_pending)
            stop(Status::refused, "{} keys wait for the administrator already", waiting.size());
        if (of_site >= k_max_pending_of_site)
            stop(Status::refused, "{} keys from {} wait for the administrator already", of_site,
                 escape_visible(site));
        const std::string digest = hex_encode(parsed_.fingerprint);
        PendingKey key{.id = "p-" + digest.substr(0, 12),
                       .fingerprint = login_.fingerprint,
                       .type = parsed_.type,
                       .blob = base64_encode(as_bytes(parsed_.blob)),
                       .comment = parsed_.comment.substr(0, k_max_note),
                       .peer = login_.ticket.peer,
                       .site = site,
                       .asked_at = now_,
                       .in_place_of = in_place_of};
        store.insert_pending(key);
        transaction.commit();
        return waits(key.id);
    }

    [[nodiscard]] Reply waits(const std::string& id) {
        tell_pending(context_, login_, id);
        return {
            Answer::pending,
            fmt::format("the key waits for the administrator as {}: it works when he has approved it", id)};
    }

    [[nodiscard]] Reply with_password() {
        Store store(context_.store, context_.owner, context_.store_patience);
        Store::Transaction transaction(store, Store::Transaction::Kind::write);
        const Enrolment enrolment = store.enrolment();
        if (!enrol::is_open({enrolment.window_from, enrolment.window_until}, now_))
            stop(Status::refused, "enrolment by password is not on any more");
        const auto there = store.find_fingerprint(login_.fingerprint);
        if (there)
            refuse_revoked(*there);
        if (there && !there->removed())
            stop(Status::refused, "the key is already there as {}", there->id);
        return wait(store, transaction, {});
    }

    [[nodiscard]] StoredKey own_key(Store& store) const {
        auto old = store.find_fingerprint(login_.ticket.subject);
        if (!old || std::string_view(standing_word(*old, now_)) != "active")
            stop(Status::refused, "the key of this login is not active any more");
        if (old->fingerprint == login_.fingerprint)
            stop(Status::bad_data, "this is the key of this login: make a new one");
        return std::move(*old);
    }

    // Bounds what somebody who has taken over an agent can add: one key an hour, and few at once.
    void demand_calm(Store& store, const StoredKey& old) const {
        for (const HistoryEntry& entry : store.history(old))
            if (entry.action == "rotate" && entry.at > now_ - k_rotation_pause)
                stop(Status::refused, "the key {} took part in a rotation on {}: not again within an hour",
                     old.id, time_text(entry.at));
        std::size_t successors = 0;
        store.each([&](StoredKey& key) {
            if (key.added_by == k_rotated_by && key.agents == old.agents &&
                std::string_view(standing_word(key, now_)) == "active")
                ++successors;
        });
        if (successors >= k_max_successors)
            stop(Status::refused, "{} keys that came by rotation are good for agent {} already", successors,
                 list_agents(old.agents));
    }

    [[nodiscard]] Reply rotate() {
        context_.operator_name = k_rotated_by;
        if (policy_.keys_rotation == keyring::Rotation::off)
            stop(Status::refused, "keys.rotation is off");
        if (policy_.keys_rotation == keyring::Rotation::pending)
            return ask_for_rotation();
        Outcome outcome{.action = "rotate", .keys = {}, .as_was = {}, .text = {}, .published = {}};
        StoredKey key;
        outcome.published = change_and_publish(context_, PolicyFrom::keyring, [&](Store& store) {
            const StoredKey old = own_key(store);
            auto there = store.find_fingerprint(login_.fingerprint);
            if (there && !there->removed()) {
                demand_same(*there, old.agents);
                key = std::move(*there);
                return false;
            }
            demand_calm(store, old);
            Succession done = succeed(context_, store, old, parsed_, policy_, now_);
            key = done.key;
            outcome.keys = {std::move(done.key), std::move(done.old)};
            return true;
        });
        static_cast<void>(finish(context_, outcome));
        return accepted(key, outcome.published.generation);
    }

    [[nodiscard]] Reply ask_for_rotation() {
        Store store(context_.store, context_.owner, context_.store_patience);
        Store::Transaction transaction(store, Store::Transaction::Kind::write);
        const StoredKey old = own_key(store);
        const auto there = store.find_fingerprint(login_.fingerprint);
        if (there)
            refuse_revoked(*there);
        if (there && !there->removed())
            stop(Status::refused, "the key is already there as {}", there->id);
        demand_calm(store, old);
        return wait(store, transaction, old.fingerprint);
    }

    Context& context_;
    HandedOver& login_;
    const PublicKey& parsed_;
    std::int64_t now_;
    keyring::Policy policy_;
};

// One line for a terminal. Of a key the client may know everything; of the store, nothing.
[[nodiscard]] Reply refusal(const Problem& problem, Wish wish) {
    std::string text = problem.status() == Status::bad_data
                           ? std::string("refused: ") + problem.what()
                           : std::string("refused: this key cannot be ") +
                                 (wish == Wish::rotate ? "taken in place of yours" : "enrolled") +
                                 ": ask the administrator, whose audit trail says why";
    for (char& c : text)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            c = ' ';
    return {Answer::refused, text.substr(0, enrol::k_max_text)};
}

} // namespace

Succession succeed(const Context& context, Store& store, const StoredKey& old, const PublicKey& parsed,
                   const keyring::Policy& policy, std::int64_t now) {
    const auto there = store.find_fingerprint(keyring::format_fingerprint(parsed.fingerprint));
    Succession out{successor(old, parsed), {}};
    out.key.expires_at = old.expires_at; // an end that the administrator set is not put off by the agent
    check_policy(policy, out.key, parsed);
    enter(store, out.key, parsed, {}, there,
          note_of(context, "rotate", fmt::format("in place of {} {}", old.id, old.fingerprint)));
    out.old = end_by(context, store, old, out.key, now + k_overlap);
    return out;
}

Reply hand_over(Context& context, HandedOver login, const std::string& line) {
    try {
        const PublicKey parsed = read_public_key(line);
        Reply reply = HandOver(context, login, parsed).answer();
        if (reply.text.size() > enrol::k_max_text)
            reply.text.resize(enrol::k_max_text);
        return reply;
    } catch (const Problem& problem) {
        tell_refused(context, login, problem.what());
        return refusal(problem, login.wish);
    }
}

} // namespace gate::ctl
