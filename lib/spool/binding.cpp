#include "lib/spool/binding.h"

#include "lib/base/md5.h"

#include <algorithm>
#include <optional>
#include <string>

namespace gate::spool {

namespace {

constexpr std::size_t k_md5_hex = 32;

[[nodiscard]] bool is_md5(std::string_view text) {
    return text.size() == k_md5_hex &&
           std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// The text as ISO 8859-1 bytes: an agent whose packets are in that encoding calls its files so, and takes the
// MD5 of that. nullopt: not representable.
[[nodiscard]] std::optional<std::string> as_latin1(std::string_view utf8) {
    std::string out;
    for (std::size_t i = 0; i < utf8.size(); ++i) {
        const auto lead = static_cast<unsigned char>(utf8[i]);
        if (lead < 0x80) {
            out += utf8[i];
            continue;
        }
        if ((lead & 0xfeU) != 0xc2 || i + 1 == utf8.size())
            return std::nullopt;
        const auto next = static_cast<unsigned char>(utf8[++i]);
        out += static_cast<char>(((lead & 0x03U) << 6) | (next & 0x3fU));
    }
    return out;
}

[[nodiscard]] bool names_its_file(std::string_view agent, std::string_view file_agent) {
    return file_agent == agent || (is_md5(file_agent) && file_agent == md5_name(agent));
}

[[nodiscard]] bool packet_agrees(const keyring::Agent& agent, std::string_view file_agent,
                                 std::string_view packet_agent) {
    if (!agent.is_pattern())
        return packet_agent == agent.name && (file_agent == agent.name || file_agent == agent.md5);
    if (!matches_pattern(agent.name, packet_agent))
        return false;
    if (names_its_file(packet_agent, file_agent))
        return true;
    const auto latin1 = as_latin1(packet_agent);
    return latin1 && names_its_file(*latin1, file_agent);
}

} // namespace

BindingMode binding_mode(const keyring::Policy& policy, const keyring::KeyRecord& key) {
    using keyring::Binding;
    using keyring::Unbound;
    if (key.agents.empty()) {
        switch (policy.binding_unbound_keys) {
        case Unbound::learn:
            return BindingMode::learn;
        case Unbound::allow:
            return BindingMode::off;
        case Unbound::refuse:
            return BindingMode::refuse;
        }
    }
    switch (key.binding != Binding::automatic ? key.binding : policy.binding_default) {
    case Binding::observe:
        return BindingMode::observe;
    case Binding::off:
        return BindingMode::off;
    case Binding::automatic:
    case Binding::enforce:
        break;
    }
    return BindingMode::enforce;
}

// The usual way of one star at a time: what follows the last one that matched is tried at each place.
bool matches_pattern(std::string_view pattern, std::string_view text) {
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star = std::string_view::npos;
    std::size_t after_star = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            after_star = t;
        } else if (p < pattern.size() && pattern[p] == text[t]) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++after_star;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*')
        ++p;
    return p == pattern.size();
}

bool name_agrees(const keyring::KeyRecord& key, std::string_view file_agent) {
    return std::ranges::any_of(key.agents, [&](const keyring::Agent& agent) {
        if (agent.is_pattern())
            return matches_pattern(agent.name, file_agent) || is_md5(file_agent);
        return file_agent == agent.name || file_agent == agent.md5;
    });
}

Reason check_content(const Verdict& verdict) {
    switch (verdict.content) {
    case Content::doctype:
        return Reason::content_doctype;
    case Content::wrong_root:
        return Reason::content_root;
    case Content::too_complex:
        return Reason::content_complex;
    case Content::well_formed:
        return verdict.agent_name ? Reason::none : Reason::content_agent;
    case Content::unchecked:
    case Content::malformed:
        return Reason::none;
    case Content::last_:
        break;
    }
    return Reason::protocol; // no verdict at all
}

Reason check_binding(const keyring::KeyRecord& key, std::string_view file_agent, const Verdict& verdict) {
    if (!verdict.agent_name) {
        if (verdict.content == Content::well_formed)
            return Reason::content_agent;
        return name_agrees(key, file_agent) ? Reason::none : Reason::agent_name;
    }
    const bool agrees = std::ranges::any_of(key.agents, [&](const keyring::Agent& agent) {
        return packet_agrees(agent, file_agent, *verdict.agent_name);
    });
    return agrees ? Reason::none : Reason::agent_mismatch;
}

} // namespace gate::spool
