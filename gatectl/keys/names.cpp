#include "gatectl/keys/names.h"

#include "gatectl/problem.h"
#include "lib/base/text.h"

#include <algorithm>

namespace gate::ctl {

namespace {

constexpr std::size_t k_id_stem = 32;

[[nodiscard]] bool is_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

[[nodiscard]] bool is_control(char c) {
    const auto u = static_cast<unsigned char>(c);
    return u < 0x20 || u == 0x7f;
}

} // namespace

const char* wrong_with_agent(std::string_view name) {
    if (name.empty())
        return "it is empty";
    if (name.size() > k_max_agent)
        return "it is longer than 200 bytes";
    if (name.front() == '.' || name.front() == '-')
        return "it begins with '.' or '-'";
    if (name.find('/') != std::string_view::npos)
        return "it contains '/'";
    if (std::any_of(name.begin(), name.end(), is_control))
        return "it contains a control character";
    return nullptr;
}

std::vector<std::string> check_agents(const std::vector<std::string>& names) {
    std::vector<std::string> out;
    for (const std::string& name : names) {
        if (const char* wrong = wrong_with_agent(name); wrong != nullptr)
            stop(Status::usage, "the agent name \"{}\" cannot be used: {}", escape_visible(name), wrong);
        if (std::find(out.begin(), out.end(), name) == out.end())
            out.push_back(name);
    }
    if (out.size() > k_max_agents)
        stop(Status::usage, "a key can have {} agents at most", k_max_agents);
    return out;
}

const char* wrong_with_exact_agent(std::string_view name) {
    if (name.find('*') != std::string_view::npos)
        return "it contains '*', which would make it a pattern";
    return wrong_with_agent(name);
}

void check_binding_word(std::string_view word) {
    if (!word.empty() && word != "enforce" && word != "observe" && word != "off")
        stop(Status::usage, "--binding is enforce, observe or off, not \"{}\"", escape_visible(word));
}

bool is_key_id(std::string_view id) {
    return !id.empty() && id.size() <= k_max_id && is_alnum(id.front()) &&
           std::all_of(id.begin(), id.end(),
                       [](char c) { return is_alnum(c) || c == '.' || c == '_' || c == '-'; });
}

void check_key_id(std::string_view id) {
    if (!is_key_id(id))
        stop(Status::usage,
             "\"{}\" cannot be a key id: letters, digits, '.', '_' and '-' only, beginning with a "
             "letter or digit, {} at most",
             escape_visible(id), k_max_id);
}

void check_text(const char* what, std::string_view text) {
    if (text.size() > k_max_note)
        stop(Status::usage, "the {} is longer than {} bytes", what, k_max_note);
    if (std::any_of(text.begin(), text.end(), is_control))
        stop(Status::usage, "the {} contains a control character", what);
}

std::string propose_id(std::string_view agent, const keyring::Fingerprint& fingerprint, std::size_t digits) {
    std::string stem;
    for (const char c : agent.substr(0, k_id_stem)) {
        if (is_alnum(c) || c == '.' || c == '_')
            stem += c;
        else if (!stem.empty() && !stem.ends_with('-'))
            stem += '-';
    }
    while (!stem.empty() && !is_alnum(stem.back()))
        stem.pop_back();
    while (!stem.empty() && !is_alnum(stem.front()))
        stem.erase(0, 1);
    if (stem.empty())
        stem = "key";
    return stem + '-' + hex_encode(fingerprint).substr(0, digits);
}

} // namespace gate::ctl
