#include "gatectl/agent/health.h"

#include "gatectl/keys/when.h"
#include "gatectl/problem.h"
#include "lib/base/text.h"

#include <algorithm>
#include <numeric>

namespace gate::ctl {

namespace {

constexpr std::int64_t k_expiring_soon =
    30 * 86'400; // seconds; time enough to reach an agent's administrator
constexpr std::size_t k_near_edits = 2;
constexpr std::size_t k_near_shown = 3;
constexpr std::size_t k_near_length = 64; // of names that are compared letter by letter

// What an agent that delivers may be refused all the same, at every interval.
[[nodiscard]] bool is_harmless(const LastEvent& refusal) {
    return refusal.rule == "request.shell" || refusal.rule == "name.remote_config";
}

[[nodiscard]] std::string wait(std::size_t count, std::string_view what) {
    return fmt::format("{} {}", count, what) + (count == 1 ? " waits" : "s wait");
}

void judge_keys(AgentState& state, std::int64_t now) {
    const auto is_active = [](const AgentKey& key) { return key.state == "active"; };
    if (std::ranges::none_of(state.keys, is_active)) {
        state.findings.push_back({Health::broken, "no key is active",
                                  "pandora-gate keys list --agent NAME, then keys enable, set or add"});
        return;
    }
    // One that will do for longer is enough.
    const bool lasting = std::ranges::any_of(state.keys, [&](const AgentKey& key) {
        return is_active(key) && (key.expires == 0 || key.expires > now + k_expiring_soon);
    });
    if (lasting)
        return;
    const auto last = std::ranges::max_element(
        state.keys, {}, [&](const AgentKey& key) { return is_active(key) ? key.expires : 0; });
    state.findings.push_back({Health::warning,
                              fmt::format("key {} expires on {}", last->id, time_text(last->expires)),
                              "pandora-gate keys rotate, or keys set --expires"});
}

void judge_drops(AgentState& state, std::int64_t now, std::int64_t silent_for) {
    const LastEvent& refusal = state.trail.refusal;
    // Times of the audit are in the order of their letters; the memory of a key knows seconds only.
    const bool since_then =
        refusal.time > state.trail.drop.time && seconds_of(refusal.time) >= state.last_drop;
    if (!refusal.time.empty() && !is_harmless(refusal) && since_then)
        state.findings.push_back(
            {Health::broken,
             fmt::format("what it tried last was refused (rule {})", escape_visible(refusal.rule)),
             escape_visible(refusal.remedy)});
    if (state.last_drop == 0)
        state.findings.push_back({Health::warning, "no drop is known", "see whether it has been set up"});
    else if (now - state.last_drop > silent_for)
        state.findings.push_back({Health::warning, "no drop since " + time_text(state.last_drop),
                                  "see whether the agent runs, and what its log says"});
}

[[nodiscard]] std::string line_of(const LastEvent& event) {
    if (event.time.empty())
        return "none";
    std::string out = escape_visible(event.time);
    if (!event.address.empty())
        out += " from " + escape_visible(event.address);
    if (!event.key.empty())
        out += ", key " + escape_visible(event.key);
    if (!event.file.empty())
        out += ", " + escape_visible(event.file);
    return out;
}

// A name, and what there is to say, broken where the terminal ends.
void append(std::string& out, std::string_view name, const std::string& value, std::size_t columns) {
    constexpr std::size_t k_name = 13;
    std::string line = fmt::format("{:<12} ", name);
    std::size_t at = line.size();
    for (std::string_view rest = value; !rest.empty();) {
        const std::string_view word = rest.substr(0, rest.find(' '));
        rest.remove_prefix(std::min(rest.size(), word.size() + 1));
        if (columns != 0 && at > k_name && at + 1 + word.size() > columns) {
            line += '\n' + std::string(k_name, ' ');
            at = k_name;
        } else if (at > k_name) {
            line += ' ';
            ++at;
        }
        line += word;
        at += word.size();
    }
    out += line + '\n';
}

[[nodiscard]] std::string line_of(const AgentKey& key, std::uint32_t window) {
    std::string out = fmt::format("{} {}", key.id, key.state);
    if (key.agent.find('*') != std::string::npos)
        out += fmt::format(", by the pattern {}", escape_visible(key.agent));
    if (key.expires != 0)
        out += ", expires " + time_text(key.expires);
    out += fmt::format(", {} of {} files and {} of {} bytes within {} s", key.files, key.quota_files,
                       key.bytes, key.quota_bytes, window);
    return out;
}

[[nodiscard]] Json json_of(const LastEvent& event) {
    if (event.time.empty())
        return {};
    const auto or_null = [](const std::string& text) { return text.empty() ? Json() : Json(latin1(text)); };
    return {{"event", event.what},
            {"at", latin1(event.time)},
            {"address", or_null(event.address)},
            {"key", or_null(event.key)},
            {"file", or_null(event.file)},
            {"rule", or_null(event.rule)},
            {"reason", or_null(event.reason)},
            {"remedy", or_null(event.remedy)}};
}

// How many letters to add, take away or exchange (Levenshtein).
[[nodiscard]] std::size_t edits(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t exchanged = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, exchanged}));
        }
    }
    return row.back();
}

} // namespace

const char* word_of(Health health) {
    switch (health) {
    case Health::healthy:
        return "healthy";
    case Health::warning:
        return "warning";
    case Health::broken:
        break;
    }
    return "broken";
}

void judge(AgentState& state, std::int64_t now, std::int64_t silent_for) {
    judge_keys(state, now);
    judge_drops(state, now, silent_for);
    if (state.trail.mismatches != 0)
        state.findings.push_back(
            {Health::warning,
             fmt::format("{} mismatches of key, file name and packet", state.trail.mismatches),
             "see agent.mismatch in the audit; pandora-gate keys bind"});
    if (!state.waiting.empty())
        state.findings.push_back({Health::warning,
                                  fmt::format("{} in the quarantine", wait(state.waiting.size(), "packet")),
                                  "pandora-gate quarantine show, then release or purge"});
    if (!state.pending.empty())
        state.findings.push_back({Health::warning,
                                  fmt::format("{} to be approved", wait(state.pending.size(), "new key")),
                                  "pandora-gate keys pending, then approve or reject"});
    std::ranges::stable_sort(state.findings, std::ranges::greater(), &Finding::health);
}

std::string to_text(const AgentState& state, std::size_t columns) {
    std::string out;
    const auto say = [&](std::string_view name, const std::string& value) {
        append(out, name, value, columns);
    };
    say("agent", escape_visible(state.name));
    say("health", word_of(state.health()));
    for (const Finding& finding : state.findings)
        say(word_of(finding.health), finding.what + "; to change that: " + finding.remedy);
    for (const AgentKey& key : state.keys)
        say("key", line_of(key, state.quota_window));
    for (const std::string& id : state.pending)
        say("pending key", id);
    say("last login", line_of(state.trail.login));
    say("last drop", state.trail.drop.time.empty() && state.last_drop != 0
                         ? time_text(state.last_drop) + ", as its key's memory has it"
                         : line_of(state.trail.drop));
    const LastEvent& refusal = state.trail.refusal;
    say("last refusal", line_of(refusal));
    if (!refusal.time.empty())
        say("", fmt::format("{} (rule {}); to change that: {}", escape_visible(refusal.reason),
                            escape_visible(refusal.rule), escape_visible(refusal.remedy)));
    for (const std::string& id : state.waiting)
        say("quarantine", id);
    if (!state.trail.read_all)
        say("", fmt::format("(of the audit, the last {} MB were read)", k_most_read >> 20));
    return out;
}

Json to_json(const AgentState& state) {
    Json keys = Json::array();
    for (const AgentKey& key : state.keys)
        keys.push_back({{"id", key.id},
                        {"state", key.state},
                        {"agent", latin1(key.agent)},
                        {"expires", time_json(key.expires)},
                        {"last_use", time_json(key.last_use)},
                        {"files", key.files},
                        {"quota_files", key.quota_files},
                        {"bytes", key.bytes},
                        {"quota_bytes", key.quota_bytes}});
    Json findings = Json::array();
    for (const Finding& finding : state.findings)
        findings.push_back(
            {{"health", word_of(finding.health)}, {"what", finding.what}, {"remedy", finding.remedy}});
    return {{"agent", latin1(state.name)},
            {"health", word_of(state.health())},
            {"findings", std::move(findings)},
            {"keys", std::move(keys)},
            {"quota_window", state.quota_window},
            {"last_login", json_of(state.trail.login)},
            {"last_drop", time_json(state.last_drop)},
            {"last_drop_event", json_of(state.trail.drop)},
            {"last_refusal", json_of(state.trail.refusal)},
            {"mismatches", state.trail.mismatches},
            {"quarantined", state.waiting},
            {"pending", state.pending},
            {"audit_read_whole", state.trail.read_all}};
}

std::vector<std::string> near_names(const std::string& name, const std::vector<std::string>& known) {
    std::vector<std::pair<std::size_t, std::string>> found;
    for (const std::string& other : known) {
        if (name.size() > k_near_length || other.size() > k_near_length)
            continue;
        const bool begins = !name.empty() && (other.starts_with(name) || name.starts_with(other));
        const std::size_t distance = edits(name, other);
        if (distance <= k_near_edits || begins)
            found.emplace_back(distance, other);
    }
    std::ranges::sort(found);
    const auto [gone, end] = std::ranges::unique(found);
    found.erase(gone, end);
    found.resize(std::min(found.size(), k_near_shown));
    std::vector<std::string> out;
    for (auto& [distance, other] : found)
        out.push_back(std::move(other));
    return out;
}

std::int64_t seconds_of(std::string_view time) {
    try {
        return parse_when("time", time.substr(0, time.find('.')), 0);
    } catch (const Problem&) {
        return 0;
    }
}

} // namespace gate::ctl
