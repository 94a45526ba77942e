// Where what is known of an agent comes from: the store, the sessions' memory, the audit, the quarantine.
#include "gatectl/account.h"
#include "gatectl/agent/commands.h"
#include "gatectl/agent/health.h"
#include "gatectl/keys/commands.h"
#include "gatectl/keys/last_use.h"
#include "gatectl/problem.h"
#include "gatectl/publish/change.h"
#include "gatectl/publish/units.h"
#include "gatectl/quarantine/shelf.h"
#include "lib/base/clock.h"
#include "lib/base/md5.h"
#include "lib/base/text.h"
#include "lib/spool/binding.h"
#include "lib/spool/memory.h"
#include "lib/spool/name.h"

#include <algorithm>
#include <fcntl.h>
#include <map>
#include <memory>
#include <set>

namespace gate::ctl {

namespace {

constexpr std::uint64_t k_longest_silence = 366U * 86'400; // seconds

// The name or pattern of the key that means this agent.
[[nodiscard]] const std::string* agent_of(const StoredKey& key, const std::string& name) {
    const auto found = std::ranges::find_if(key.agents, [&](const std::string& agent) {
        return agent == name || spool::matches_pattern(agent, name);
    });
    return found == key.agents.end() ? nullptr : &*found;
}

class Collector {
  public:
    Collector(Context& context, const AgentRequest& request)
        : context_(context), request_(request),
          policy_(policy_in_force(context)), identity_{.name = request.name, .md5 = md5_name(request.name)} {
        state_.name = request.name;
        state_.quota_window = policy_.quota_window;
        if (const auto account = find_account(policy_.account_user))
            account_ = account->uid;
        memory_directory_.reset(
            ::open(memory_directory(context).c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    }

    [[nodiscard]] AgentState collect(std::int64_t now, std::int64_t silent_for) {
        keys(now);
        if (state_.keys.empty())
            nobody_knows();
        state_.trail = read_trail(request_.audit, identity_);
        state_.last_drop = seconds_of(state_.trail.drop.time);
        for (const AgentKey& key : state_.keys)
            if (identity_.alone.contains(key.id))
                state_.last_drop = std::max(state_.last_drop, delivered_at_[key.id]);
        quarantine();
        judge(state_, now, silent_for);
        return std::move(state_);
    }

  private:
    void keys(std::int64_t now) {
        if (!has_store(context_))
            return;
        const LastUses uses(memory_directory(context_), LastUses::Asked::one);
        Store store(context_.store, context_.owner, context_.store_patience);
        const Store::Transaction transaction(store, Store::Transaction::Kind::read);
        std::set<std::string> its; // fingerprints
        store.each([&](StoredKey& key) {
            known_.insert(known_.end(), key.agents.begin(), key.agents.end());
            if (const std::string* agent = agent_of(key, request_.name)) {
                take(key, *agent, uses.of(key.fingerprint), now);
                its.insert(key.fingerprint);
            }
        });
        for (const PendingKey& key : store.pending())
            if (its.contains(key.in_place_of))
                state_.pending.push_back(key.id);
    }

    void take(const StoredKey& key, const std::string& agent, std::int64_t last_use, std::int64_t now) {
        AgentKey out{.id = key.id,
                     .state = standing_word(key, now),
                     .agent = agent,
                     .expires = key.expires_at,
                     .last_use = last_use};
        const keyring::Policy policy = keyring::for_key(policy_, key.limits);
        out.quota_files = policy.quota_files;
        out.quota_bytes = policy.quota_bytes;
        spool::Memory memory(policy);
        const auto fingerprint = keyring::parse_fingerprint(key.fingerprint);
        if (fingerprint && memory_directory_.valid() &&
            memory.open_to_look(memory_directory_.get(), spool::memory_name(*fingerprint), account_)) {
            spool::Memory::Hold hold(memory, wall_clock_us());
            const auto recent = hold.recent();
            out.files = recent.files;
            out.bytes = recent.bytes;
            delivered_at_[key.id] = hold.last_us() / 1'000'000;
        }
        identity_.keys.insert(key.id);
        if (key.agents.size() == 1 && agent == request_.name)
            identity_.alone.insert(key.id);
        state_.keys.push_back(std::move(out));
    }

    [[noreturn]] void nobody_knows() const {
        std::string near;
        for (const std::string& name : near_names(request_.name, known_))
            near += fmt::format("{}\"{}\"", near.empty() ? "" : ", ", escape_visible(name));
        stop(Status::refused, "no key may send for an agent \"{}\"{}", escape_visible(request_.name),
             near.empty() ? std::string(": see `pandora-gate keys list`") : "; did you mean " + near + "?");
    }

    // Who has put it there does not count: what names the agent is worth a look.
    void quarantine() {
        const auto shelf = Shelf::open(policy_.spool_quarantine);
        if (!shelf)
            return;
        for (const ShelfEntry& entry : shelf->packets()) {
            const auto facts = shelf->facts(entry.id);
            if (!facts)
                continue;
            spool::FileName name;
            const bool file = spool::parse_file_name(facts->file, name) == spool::Reason::none &&
                              (name.agent == identity_.name || name.agent == identity_.md5);
            if (file || facts->packet_agent == identity_.name || identity_.alone.contains(facts->key))
                state_.waiting.push_back(entry.id);
        }
    }

    Context& context_;
    const AgentRequest& request_;
    const keyring::Policy policy_;
    AgentIdentity identity_;
    AgentState state_;
    uid_t account_ = 0;
    Fd memory_directory_;
    std::map<std::string, std::int64_t> delivered_at_; // by key id, seconds
    std::vector<std::string> known_;
};

} // namespace

std::string agent_health(Context& context, const AgentRequest& request) {
    const auto silent_for = parse_time(request.silent_for);
    if (!silent_for || *silent_for == 0 || *silent_for > k_longest_silence)
        stop(Status::usage, "--silent-for is a time such as 15min, 1h or 2d, not \"{}\"",
             escape_visible(request.silent_for));
    const AgentState state =
        Collector(context, request)
            .collect(wall_clock_us() / 1'000'000, static_cast<std::int64_t>(*silent_for));
    context.exit_status = static_cast<int>(state.health());
    return request.json ? dump(to_json(state)) : to_text(state, static_cast<std::size_t>(context.columns));
}

void register_agent(const Registry& registry) {
    const auto request = std::make_shared<AgentRequest>();
    auto* agent =
        registry.app.add_subcommand("agent", "How an agent is; exit status 0 healthy, 1 a warning, 2 "
                                             "broken");
    agent->add_option("NAME", request->name, "The agent, as its packets name it")->required();
    agent->add_option("--silent-for", request->silent_for, "Without a drop for longer it is a warning")
        ->type_name("TIME")
        ->capture_default_str();
    agent->add_option("--audit-file", request->audit, "The audit trail")
        ->type_name("FILE")
        ->capture_default_str();
    agent->add_flag("--json", request->json, "For programs");
    agent->callback([request, context = &registry.context, run = &registry.command] {
        *run = [request, context] { return agent_health(*context, *request); };
    });
}

} // namespace gate::ctl
