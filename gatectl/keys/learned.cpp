// `keys learned`, `keys bind --learned`: what the first packets of keys without agents named. Whoever holds
// such a key chose these names, so each is checked as if a stranger had typed it, and none becomes a pattern.
#include "gatectl/account.h"
#include "gatectl/keys/commands.h"
#include "gatectl/keys/json.h"
#include "gatectl/keys/names.h"
#include "gatectl/keys/outcome.h"
#include "gatectl/problem.h"
#include "gatectl/publish/change.h"
#include "gatectl/store/location.h"
#include "lib/base/text.h"

#include <algorithm>

namespace gate::ctl {

namespace {

struct Proposal {
    StoredKey key;
    spool::Learned learned{};
    std::string why_not{}; // empty: it proposes learned.names[0]
};

[[nodiscard]] Proposal read_proposal(const Context& context, StoredKey key, const std::string& directory,
                                     const std::optional<Account>& account) {
    Proposal out{.key = std::move(key), .learned = {}, .why_not = {}};
    const auto fingerprint = keyring::parse_fingerprint(out.key.fingerprint);
    if (!fingerprint || !account) {
        out.why_not = account ? "its fingerprint in the store is none" : "the account does not exist";
        return out;
    }
    auto learned = context.read_learned(directory + '/' + spool::memory_name(*fingerprint), account->uid);
    if (!learned && learned.error().code != Errc::missing) {
        out.why_not = "its memory cannot be read: " + describe(learned.error());
        return out;
    }
    if (learned)
        out.learned = std::move(*learned);
    if (out.learned.packets < spool::k_proposing_packets)
        out.why_not =
            fmt::format("{} of {} packets have come", out.learned.packets, spool::k_proposing_packets);
    else if (!out.learned.proposes())
        out.why_not = "its packets do not agree";
    else if (out.learned.names[0].size() >= spool::Learned::k_max_agent)
        out.why_not = "the name is so long that it may have been cut";
    else if (const char* wrong = wrong_with_exact_agent(out.learned.names[0]); wrong != nullptr)
        out.why_not = fmt::format("the name cannot be an agent's: {}", wrong);
    return out;
}

// The keys that learn, by id. Of a million keys few are without agents.
[[nodiscard]] std::vector<StoredKey> unbound_keys(Store& store) {
    std::vector<StoredKey> out;
    store.each([&out](StoredKey& key) {
        if (!key.revoked() && key.agents.empty())
            out.push_back(std::move(key));
    });
    std::sort(out.begin(), out.end(), [](const StoredKey& a, const StoredKey& b) { return a.id < b.id; });
    return out;
}

[[nodiscard]] std::vector<StoredKey> load_unbound_keys(const Context& context) {
    if (!has_store(context))
        return {};
    Store store(context.store, context.owner, context.store_patience);
    const Store::Transaction transaction(store, Store::Transaction::Kind::read);
    return unbound_keys(store);
}

[[nodiscard]] std::vector<Proposal> read_proposals(const Context& context,
                                                   const std::vector<StoredKey>& keys) {
    const std::string name = policy_in_force(context).account_user;
    const auto account = find_account(name);
    const std::string directory = memory_directory(context);
    std::vector<Proposal> out;
    for (const StoredKey& key : keys)
        out.push_back(read_proposal(context, key, directory, account));
    return out;
}

// Each name once, in the order of the packets.
[[nodiscard]] std::vector<std::string> names_of(const spool::Learned& learned) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < learned.packets && i < learned.names.size(); ++i)
        if (std::find(out.begin(), out.end(), learned.names[i]) == out.end())
            out.push_back(learned.names[i]);
    return out;
}

// Those of the keys that propose and are meant. A key that was named and does not propose is a mistake.
[[nodiscard]] std::vector<Proposal> wanted(const Context& context, Store& store,
                                           const std::vector<std::string>& named) {
    std::vector<Proposal> all = read_proposals(context, unbound_keys(store));
    if (named.empty()) {
        std::erase_if(all, [](const Proposal& p) { return !p.why_not.empty(); });
        return all;
    }
    std::vector<Proposal> out;
    for (const std::string& name : named) {
        const StoredKey key = select_key(store, name);
        const auto found =
            std::find_if(all.begin(), all.end(), [&key](const Proposal& p) { return p.key.id == key.id; });
        if (found == all.end())
            stop(Status::refused, "the key {} is {}: it learns nothing", key.id,
                 key.revoked() ? "revoked" : "bound already");
        if (!found->why_not.empty())
            stop(Status::refused, "the key {} proposes no agent: {}", key.id, found->why_not);
        if (std::none_of(out.begin(), out.end(), [&key](const Proposal& p) { return p.key.id == key.id; }))
            out.push_back(*found);
    }
    return out;
}

} // namespace

std::string bind_learned(Context& context, const BindRequest& request) {
    if (!request.agents.empty())
        stop(Status::usage, "--learned takes the names from the packets: leave --agent out");
    check_binding_word(request.binding);
    std::vector<Proposal> bound;
    Outcome outcome{.action = "bind", .keys = {}, .as_was = {}, .text = {}, .published = {}};
    outcome.published = change_and_publish(context, PolicyFrom::keyring, [&](Store& store) {
        bound = wanted(context, store, request.keys);
        for (Proposal& p : bound)
            static_cast<void>(
                bind_in_store(context, store, p.key, {p.learned.names[0]}, request.binding)); // it had none
        return !bound.empty();
    });
    for (const Proposal& p : bound) {
        outcome.text +=
            fmt::format("bound {} {} to agent {}\n", p.key.id, p.key.fingerprint, list_agents(p.key.agents));
        outcome.keys.push_back(p.key);
    }
    if (bound.empty())
        context.remarks.emplace_back("no key proposes an agent: see `pandora-gate keys learned`");
    return finish(context, outcome);
}

std::string list_learned(Context& context, bool json) {
    const auto proposals = read_proposals(context, load_unbound_keys(context));
    if (json) {
        Json out = Json::array();
        for (const Proposal& p : proposals) {
            Json names = Json::array();
            for (const std::string& name : names_of(p.learned))
                names.push_back(latin1(name));
            out.push_back({{"id", p.key.id},
                           {"fingerprint", p.key.fingerprint},
                           {"packets", p.learned.packets},
                           {"names", std::move(names)},
                           {"proposes", p.why_not.empty()}});
            if (!p.why_not.empty())
                out.back()["why_not"] = latin1(p.why_not);
        }
        return dump(out);
    }
    if (proposals.empty()) {
        context.remarks.emplace_back("there is no key without an agent");
        return {};
    }
    std::size_t width = 2;
    for (const Proposal& p : proposals)
        width = std::max(width, p.key.id.size());
    std::string out = fmt::format("{:<{}}  {:<7}  {:<8}  {}\n", "ID", width, "PACKETS", "PROPOSES", "NAMED");
    for (const Proposal& p : proposals) {
        const std::string named = p.learned.packets == 0 ? "-" : list_agents(names_of(p.learned));
        out += fmt::format("{:<{}}  {:<7}  {:<8}  {}{}\n", p.key.id, width, p.learned.packets,
                           p.why_not.empty() ? "yes" : "no", named,
                           p.why_not.empty() ? "" : " (" + escape_visible(p.why_not) + ')');
    }
    return out;
}

} // namespace gate::ctl
