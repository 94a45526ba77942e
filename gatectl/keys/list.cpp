// `keys list`: for people as a table, for programs as JSON. Goes through the store key by key.
#include "gatectl/keys/commands.h"
#include "gatectl/keys/json.h"
#include "gatectl/keys/last_use.h"
#include "gatectl/keys/public_key.h"
#include "gatectl/keys/rewind.h"
#include "gatectl/keys/when.h"
#include "gatectl/keys/words.h"
#include "gatectl/problem.h"
#include "gatectl/publish/change.h"
#include "gatectl/store/location.h"
#include "gatectl/table.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/keyring/ftp_sender.h"
#include "lib/spool/binding.h"

#include <algorithm>

namespace gate::ctl {

namespace {

constexpr std::string_view k_states[] = {"active",   "expired", "not-yet-valid",
                                         "disabled", "revoked", "removed"};
constexpr std::string_view k_types[] = {"ed25519",    "ecdsa",    "rsa",
                                        "sk-ed25519", "sk-ecdsa", keyring::k_ftp_type};

// What was asked for, understood.
class Filter {
  public:
    Filter(const ListRequest& request, std::int64_t now) : request_(request), at_(now) {
        for (const std::string& state : request.states)
            if (std::find(std::begin(k_states), std::end(k_states), state) == std::end(k_states))
                stop(Status::usage,
                     "--state is active, expired, not-yet-valid, disabled, revoked or removed, not \"{}\"",
                     escape_visible(state));
        if (!request.type.empty() && !is_key_type(request.type) &&
            std::find(std::begin(k_types), std::end(k_types), request.type) == std::end(k_types))
            stop(Status::usage, "--type is ed25519, ecdsa, rsa, sk-ed25519, sk-ecdsa or ftp-user, not \"{}\"",
                 escape_visible(request.type));
        if (!request.at.empty())
            at_ = parse_when("--at", request.at, now);
        if (!request.expiring_within.empty())
            expiring_before_ = parse_when("--expiring-within", request.expiring_within, at_);
        if (!request.unused_for.empty())
            unused_since_ = now - parse_length("--unused-for", request.unused_for);
    }

    [[nodiscard]] std::int64_t at() const { return at_; }

    [[nodiscard]] bool takes(const StoredKey& key, std::int64_t last_use) const {
        const std::string_view state = standing_word(key, at_);
        const bool asked =
            std::find(request_.states.begin(), request_.states.end(), state) != request_.states.end();
        if (request_.states.empty() ? key.removed() : !asked)
            return false;
        if (!request_.agent.empty() && !is_for(key))
            return false;
        if (!request_.type.empty() && request_.type != key.type && request_.type != type_word(key.type))
            return false;
        if (expiring_before_ != 0 && !(is_good_for_something(state) && key.expires_at != 0 &&
                                       key.expires_at > at_ && key.expires_at <= expiring_before_))
            return false;
        return unused_since_ == k_any || std::max(last_use, key.added_at) <= unused_since_;
    }

  private:
    static constexpr std::int64_t k_any = INT64_MAX;

    // A pattern of the key that fits the name, or a name of the key that fits the pattern.
    [[nodiscard]] bool is_for(const StoredKey& key) const {
        return std::any_of(key.agents.begin(), key.agents.end(), [this](const std::string& agent) {
            return agent == request_.agent || spool::matches_pattern(agent, request_.agent) ||
                   spool::matches_pattern(request_.agent, agent);
        });
    }
    [[nodiscard]] static bool is_good_for_something(std::string_view state) {
        return state == "active" || state == "not-yet-valid" || state == "disabled";
    }

    const ListRequest& request_;
    std::int64_t at_;
    std::int64_t expiring_before_ = 0;
    std::int64_t unused_since_ = k_any;
};

using Visit = std::function<void(const StoredKey& key, std::int64_t last_use)>;

// How many keys there are.
std::uint64_t each_wanted(Context& context, const ListRequest& request, const Filter& filter,
                          const Visit& visit) {
    if (!has_store(context))
        return 0;
    const LastUses uses(memory_directory(context), LastUses::Asked::many);
    Store store(context.store, context.owner, context.store_patience);
    const Store::Transaction transaction(store, Store::Transaction::Kind::read);
    std::optional<Rewind> rewind;
    if (!request.at.empty())
        rewind.emplace(store, filter.at());
    const auto look = [&](StoredKey& key) {
        if (rewind) {
            auto then = (*rewind)(std::move(key));
            if (!then)
                return;
            key = std::move(*then);
        }
        const std::int64_t last_use = uses.of(key.fingerprint);
        if (filter.takes(key, last_use))
            visit(key, last_use);
    };
    // A key that has been removed since then was there then.
    if (rewind || std::find(request.states.begin(), request.states.end(), "removed") != request.states.end())
        store.each_also_removed(look);
    else
        store.each(look);
    return store.count();
}

[[nodiscard]] const char* colour_of(std::size_t column, std::string_view cell) {
    constexpr std::size_t k_state = 1;
    if (column != k_state || cell == "active")
        return nullptr;
    return cell == "revoked" || cell == "expired" ? "31" : "33"; // red, yellow
}

[[nodiscard]] std::string date_cell(std::int64_t seconds) {
    return seconds == 0 ? "-" : time_text(seconds).substr(0, 10);
}

[[nodiscard]] std::string from_cell(const StoredKey& key) {
    if (key.from.empty())
        return "-";
    return key.from.size() == 1 ? key.from.front()
                                : fmt::format("{} (+{})", key.from.front(), key.from.size() - 1);
}

[[nodiscard]] std::vector<std::string> header(bool wide) {
    if (wide)
        return {"ID", "STATE", "TYPE", "BINDING", "FINGERPRINT", "EXPIRES", "LAST USE", "FROM", "AGENT"};
    return {"ID", "STATE", "EXPIRES", "LAST USE", "AGENT"};
}

[[nodiscard]] std::vector<std::string> cells(const StoredKey& key, std::int64_t last_use, std::int64_t at,
                                             const char* unbound, bool wide) {
    std::vector<std::string> out = {key.id, standing_word(key, at)};
    if (wide) {
        out.emplace_back(type_word(key.type));
        out.push_back(key.binding.empty() ? "default" : key.binding);
        out.push_back(key.fingerprint);
    }
    out.push_back(date_cell(key.expires_at));
    out.push_back(date_cell(last_use));
    if (wide)
        out.push_back(from_cell(key));
    out.push_back(agents_cell(key, unbound));
    return out;
}

} // namespace

std::string list_keys(Context& context, bool json, const ListRequest& request) {
    const Filter filter(request, wall_clock_us() / 1'000'000);
    if (json) {
        JsonArray out;
        each_wanted(context, request, filter, [&](const StoredKey& key, std::int64_t last_use) {
            out.add(to_json(key, filter.at(), last_use));
        });
        return std::move(out).text();
    }
    Table table(header(request.wide));
    const char* unbound = unbound_words(policy_in_force(context));
    const std::uint64_t all =
        each_wanted(context, request, filter, [&](const StoredKey& key, std::int64_t last_use) {
            table.add(cells(key, last_use, filter.at(), unbound, request.wide));
        });
    if (table.rows() == 0) {
        context.remarks.emplace_back(all == 0 ? "there are no keys yet: add one with `pandora-gate keys add`"
                                              : "no key is as asked for");
        return {};
    }
    return table.text(static_cast<std::size_t>(context.columns), context.colour ? colour_of : nullptr);
}

} // namespace gate::ctl
