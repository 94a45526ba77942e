// `keys bind`: agents for a key that is there already, and its binding. What a key may send for only grows
// here; to take something away is to revoke it.
#include "gatectl/keys/commands.h"
#include "gatectl/keys/names.h"
#include "gatectl/keys/outcome.h"
#include "gatectl/problem.h"
#include "gatectl/publish/change.h"
#include "lib/base/text.h"

#include <algorithm>

namespace gate::ctl {

namespace {

[[nodiscard]] std::string what_is_bound(const std::vector<std::string>& agents, const std::string& binding) {
    std::string out = agents.empty() ? std::string() : "agent " + list_agents(agents);
    if (!binding.empty())
        out += (out.empty() ? "binding " : ", binding ") + binding;
    return out;
}

} // namespace

bool bind_in_store(const Context& context, Store& store, StoredKey& key,
                   const std::vector<std::string>& agents, const std::string& binding) {
    if (key.revoked())
        stop(Status::refused, "the key {} is revoked and is bound to nothing any more", key.id);
    const StoredKey before = key;
    std::vector<std::string> more;
    for (const std::string& name : agents)
        if (std::find(key.agents.begin(), key.agents.end(), name) == key.agents.end())
            more.push_back(name);
    const bool other_binding = !binding.empty() && binding != key.binding;
    if (more.empty() && !other_binding)
        return false;
    if (key.agents.size() + more.size() > k_max_agents)
        stop(Status::refused, "the key {} would have more than {} agents: use a pattern", key.id,
             k_max_agents);
    std::string detail; // as it was given: what shows it escapes it
    for (const std::string& name : more)
        detail += fmt::format("{}\"{}\"", detail.empty() ? "agent " : ", ", name);
    if (other_binding) {
        key.binding = binding;
        detail += (detail.empty() ? "binding " : ", binding ") + binding;
    }
    key.agents.insert(key.agents.end(), more.begin(), more.end());
    store.update(before, key, note_of(context, "bind", detail));
    return true;
}

void remark_on_patterns(Context& context, const std::vector<std::string>& agents) {
    if (std::find(agents.begin(), agents.end(), "*") != agents.end())
        context.remarks.emplace_back("the agent \"*\" stands for every agent: whoever has this key can send "
                                     "for all of them");
}

std::string bind_key(Context& context, const BindRequest& request) {
    if (request.keys.size() != 1)
        stop(Status::usage, "say which key: pandora-gate keys bind KEY --agent NAME");
    if (request.agents.empty() && request.binding.empty())
        stop(Status::usage, "say what it is bound to: --agent NAME, or --binding MODE");
    const std::vector<std::string> agents = check_agents(request.agents);
    check_binding_word(request.binding);
    Outcome outcome{.action = "bind", .keys = {}, .as_was = {}, .text = {}, .published = {}};
    outcome.published = change_and_publish(context, PolicyFrom::keyring, [&](Store& store) {
        StoredKey key = select_key(store, request.keys.front());
        const bool bound = bind_in_store(context, store, key, agents, request.binding);
        outcome.text =
            bound ? fmt::format("bound {} {} to {}\n", key.id, key.fingerprint,
                                what_is_bound(agents, request.binding))
                  : fmt::format("{} {} is bound so already, nothing changed\n", key.id, key.fingerprint);
        (bound ? outcome.keys : outcome.as_was).push_back(std::move(key));
        return bound;
    });
    if (!outcome.keys.empty())
        remark_on_patterns(context, agents);
    return finish(context, outcome);
}

} // namespace gate::ctl
