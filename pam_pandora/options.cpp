#include "pam_pandora/options.h"

#include "lib/keyring/reader.h"

#include <algorithm>
#include <array>

namespace gate::pam {

namespace {

constexpr std::size_t k_max_name = 255; // LOGIN_NAME_MAX without its NUL

// A handler takes the value of its word and returns what is wrong with it, or nullptr.
using Handler = const char* (*)(Options&, std::string_view value);

const char* add_to(std::vector<std::string>& list, std::string_view value, bool (*valid)(std::string_view),
                   const char* invalid) {
    for (;;) {
        const std::size_t comma = value.find(',');
        const std::string_view element = value.substr(0, comma);
        if (element.empty())
            return "empty element in a list";
        if (!valid(element))
            return invalid;
        if (std::ranges::find(list, element) != list.end())
            return "the same value twice";
        list.emplace_back(element);
        if (comma == std::string_view::npos)
            return nullptr;
        value.remove_prefix(comma + 1);
    }
}

bool absolute(std::string_view path) {
    return path.starts_with('/');
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
    if (!o.keyring.empty())
        return "given twice";
    if (!absolute(value))
        return "not an absolute path";
    o.keyring = value;
    return nullptr;
}

const char* raise(bool& flag) {
    if (flag)
        return "given twice";
    flag = true;
    return nullptr;
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
    Known{"user", true, on_user},    Known{"group", true, on_group},     Known{"shell", true, on_shell},
    Known{"scope", true, on_scope},  Known{"keyring", true, on_keyring}, Known{"quiet", false, on_quiet},
    Known{"debug", false, on_debug},
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

} // namespace

std::expected<Options, BadOption> parse_options(std::span<const char* const> words) {
    Options options;
    for (const char* const word : words) {
        if (word == nullptr)
            return std::unexpected(BadOption{"(null)", "unknown option"});
        if (const char* const why = take(options, word))
            return std::unexpected(BadOption{word, why});
    }
    const bool names_somebody = !options.users.empty() || !options.group.empty();
    if (!names_somebody && options.shells.empty())
        return std::unexpected(BadOption{"(none)", "no rule: user=, group= or shell= is needed"});
    if (options.scope == Scope::members && !names_somebody)
        return std::unexpected(BadOption{"scope=members", "says nothing without user= or group="});
    if (options.keyring.empty())
        options.keyring = keyring::k_default_path;
    return options;
}

bool valid_name(std::string_view name) {
    if (name.empty() || name.size() > k_max_name || name.front() == '-')
        return false;
    return std::ranges::none_of(name, [](char c) {
        const auto u = static_cast<unsigned char>(c);
        return u < 0x20 || u == 0x7f || c == ':' || c == '/';
    });
}

} // namespace gate::pam
