#include "pam_pandora/options.h"

#include "lib/keyring/reader.h"

#include <algorithm>
#include <array>

namespace gate::pam {

namespace {

// A handler takes the value of its word and returns what is wrong with it, or nullptr.
using Handler = const char* (*)(Options&, std::string_view value);

// Calls take(element), which returns what is wrong with it, for each element of a list.
template<class Take>
const char* each_of(std::string_view value, Take&& take) {
    for (;;) {
        const std::size_t comma = value.find(',');
        const std::string_view element = value.substr(0, comma);
        if (element.empty())
            return "empty element in a list";
        if (const char* const why = take(element))
            return why;
        if (comma == std::string_view::npos)
            return nullptr;
        value.remove_prefix(comma + 1);
    }
}

const char* add_to(std::vector<std::string>& list, std::string_view value, bool (*valid)(std::string_view),
                   const char* invalid) {
    return each_of(value, [&](std::string_view element) -> const char* {
        if (!valid(element))
            return invalid;
        if (std::ranges::find(list, element) != list.end())
            return "the same value twice";
        list.emplace_back(element);
        return nullptr;
    });
}

bool absolute(std::string_view path) {
    return path.starts_with('/');
}

// libpam spells the name of a service in lower case, and takes it for a file's.
bool valid_service(std::string_view name) {
    return valid_name(name) && std::ranges::none_of(name, [](char c) { return c >= 'A' && c <= 'Z'; });
}

const char* set_path(std::string& path, std::string_view value) {
    if (!path.empty())
        return "given twice";
    if (!absolute(value))
        return "not an absolute path";
    path = value;
    return nullptr;
}

const char* on_user(Options& o, std::string_view value) {
    return add_to(o.users, value, valid_name, "not a user name");
}

const char* on_shell(Options& o, std::string_view value) {
    return add_to(o.shells, value, absolute, "not an absolute path");
}

const char* on_group(Options& o, std::string_view value) {
    if (!o.group.empty())
        return "given twice";
    if (!valid_name(value) || value.find(',') != std::string_view::npos)
        return "not the name of one group";
    o.group = value;
    return nullptr;
}

const char* on_scope(Options& o, std::string_view value) {
    if (o.scope_given)
        return "given twice";
    if (value != "members" && value != "all")
        return "neither members nor all";
    o.scope = value == "members" ? Scope::members : Scope::all;
    o.scope_given = true;
    return nullptr;
}

const char* on_keyring(Options& o, std::string_view value) {
    return set_path(o.keyring, value);
}

const char* on_run(Options& o, std::string_view value) {
    return set_path(o.run, value);
}

const char* on_deny(Options& o, std::string_view value) {
    return set_path(o.deny, value);
}

const char* on_onerr(Options& o, std::string_view value) {
    if (o.onerr_given)
        return "given twice";
    if (value != "fail" && value != "succeed")
        return "neither fail nor succeed";
    o.missing_deny_is_empty = value == "succeed";
    o.onerr_given = true;
    return nullptr;
}

const char* on_services(Options& o, std::string_view value) {
    return add_to(o.services, value, valid_service, "not the name of a service in lower case");
}

const char* on_rhost(Options& o, std::string_view value) {
    return each_of(value, [&](std::string_view element) -> const char* {
        Network network;
        if (const char* const why = parse_network(element, network))
            return why;
        if (std::ranges::find(o.networks, network) != o.networks.end())
            return "the same value twice";
        o.networks.push_back(network);
        return nullptr;
    });
}

const char* raise(bool& flag) {
    if (flag)
        return "given twice";
    flag = true;
    return nullptr;
}

const char* on_require_key(Options& o, std::string_view) {
    return raise(o.require_key);
}
const char* on_enrol(Options& o, std::string_view) {
    return raise(o.enrol);
}
const char* on_quiet(Options& o, std::string_view) {
    return raise(o.quiet);
}
const char* on_debug(Options& o, std::string_view) {
    return raise(o.debug);
}

struct Known {
    std::string_view name;
    bool has_value;
    Handler handler;
};

constexpr std::array k_known = {
    Known{"user", true, on_user},         Known{"group", true, on_group},
    Known{"shell", true, on_shell},       Known{"scope", true, on_scope},
    Known{"deny", true, on_deny},         Known{"onerr", true, on_onerr},
    Known{"services", true, on_services}, Known{"rhost", true, on_rhost},
    Known{"keyring", true, on_keyring},   Known{"require_key", false, on_require_key},
    Known{"enrol", false, on_enrol},      Known{"run", true, on_run},
    Known{"quiet", false, on_quiet},      Known{"debug", false, on_debug},
};

const char* take(Options& options, std::string_view word) {
    const std::size_t equals = word.find('=');
    const bool has_value = equals != std::string_view::npos;
    const auto known = std::ranges::find(k_known, word.substr(0, equals), &Known::name);
    if (known == k_known.end())
        return "unknown option";
    if (has_value != known->has_value)
        return has_value ? "takes no value" : "needs a value";
    if (!has_value)
        return known->handler(options, {});
    const std::string_view value = word.substr(equals + 1);
    return value.empty() ? "empty value" : known->handler(options, value);
}

// What is wrong with the words together.
std::optional<BadOption> contradiction(Type type, const Options& o) {
    if (o.require_key && type != Type::session)
        return BadOption{"require_key",
                         "stands on a session line only, the service does not name the key before"};
    if (o.enrol && type == Type::account)
        return BadOption{"enrol", "stands on an auth or a session line only"};
    if (o.enrol && type == Type::session && !o.require_key)
        return BadOption{"enrol", "says nothing on a session line without require_key"};
    if (!o.run.empty() && !o.enrol)
        return BadOption{"run=", "says nothing without enrol"};
    const bool names_somebody = !o.users.empty() || !o.group.empty();
    if (!names_somebody && o.shells.empty() && o.deny.empty() && o.services.empty() && o.networks.empty() &&
        !o.require_key && !o.enrol)
        return BadOption{
            "(none)",
            "no rule: user=, group=, shell=, deny=, services=, rhost=, require_key or enrol is needed"};
    if (o.scope == Scope::members && !names_somebody)
        return BadOption{"scope=members", "says nothing without user= or group="};
    if (o.onerr_given && o.deny.empty())
        return BadOption{"onerr=", "says nothing without deny="};
    return std::nullopt;
}

} // namespace

std::expected<Options, BadOption> parse_options(Type type, std::span<const char* const> words) {
    Options options;
    for (const char* const word : words) {
        if (word == nullptr)
            return std::unexpected(BadOption{"(null)", "unknown option"});
        if (const char* const why = take(options, word))
            return std::unexpected(BadOption{word, why});
    }
    if (const auto bad = contradiction(type, options))
        return std::unexpected(*bad);
    if (options.keyring.empty())
        options.keyring = keyring::k_default_path;
    if (options.run.empty())
        options.run = k_default_run;
    return options;
}

bool valid_name(std::string_view name) {
    if (name.empty() || name.size() > k_max_name || name.front() == '-' || name.front() == '.')
        return false;
    return std::ranges::none_of(name, [](char c) {
        const auto u = static_cast<unsigned char>(c);
        return u < 0x20 || u == 0x7f || c == ':' || c == '/';
    });
}

} // namespace gate::pam
