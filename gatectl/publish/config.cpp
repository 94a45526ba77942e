#include "gatectl/publish/config.h"

#include "gatectl/problem.h"
#include "gatectl/publish/units.h"
#include "lib/base/file.h"
#include "lib/base/text.h"

#include <algorithm>
#include <grp.h>
#include <optional>
#include <sys/stat.h>
#include <vector>

namespace {
struct AssertionFailed {};
[[noreturn]] void assertion_failed() {
    throw AssertionFailed();
}
} // namespace
// toml++ 3.3 (Debian 12) asserts where it should say that a key cannot begin so: "[$" would end the program.
#define TOML_ASSERT(expr) (static_cast<bool>(expr) ? void() : assertion_failed())
#include <toml++/toml.h>

namespace gate::ctl {

namespace {

using keyring::Durability;
using keyring::Policy;
using keyring::StagingMethod;

// Empty: the value was taken. Otherwise what it has to be.
using Verdict = std::string;
using Apply = Verdict (*)(const toml::node& value, Policy& policy);

struct Setting {
    std::string_view section;
    std::string_view key;
    Apply apply;
};

constexpr std::uint64_t k_kib = 1024;
constexpr std::uint64_t k_mib = 1024 * k_kib;
constexpr std::uint64_t k_tib = 1024 * 1024 * k_mib;

using Parse = std::optional<std::uint64_t> (*)(std::string_view);

[[nodiscard]] std::optional<std::uint64_t> number_of(const toml::node& value, Parse parse) {
    if (const auto* integer = value.as_integer(); integer != nullptr && integer->get() >= 0)
        return static_cast<std::uint64_t>(integer->get());
    if (const auto* text = value.as_string(); text != nullptr && parse != nullptr)
        return parse(text->get());
    return std::nullopt;
}

template<auto Field, std::uint64_t Least, std::uint64_t Most>
Verdict size(const toml::node& value, Policy& policy) {
    const auto bytes = number_of(value, parse_size);
    if (!bytes || *bytes < Least || *bytes > Most)
        return fmt::format("must be a size from {} to {} bytes, as 2000000 or \"64 MB\"", Least, Most);
    policy.*Field = *bytes;
    return {};
}

template<auto Field, std::uint32_t Least, std::uint32_t Most>
Verdict time(const toml::node& value, Policy& policy) {
    const auto seconds = number_of(value, parse_time);
    if (!seconds || *seconds < Least || *seconds > Most)
        return fmt::format("must be a time from {} to {} seconds, as 30, \"90s\", \"10min\" or \"1h\"", Least,
                           Most);
    policy.*Field = static_cast<std::uint32_t>(*seconds);
    return {};
}

template<auto Field, std::uint32_t Least, std::uint32_t Most>
Verdict count(const toml::node& value, Policy& policy) {
    const auto number = number_of(value, nullptr);
    if (!number || *number < Least || *number > Most)
        return fmt::format("must be a whole number from {} to {}", Least, Most);
    policy.*Field = static_cast<std::uint32_t>(*number);
    return {};
}

template<auto Field>
Verdict directory(const toml::node& value, Policy& policy) {
    const auto* text = value.as_string();
    if (text == nullptr || !is_clean_directory(text->get()))
        return "must be an absolute directory without \"//\", \".\", \"..\" and final \"/\", and not \"/\" "
               "itself";
    policy.*Field = text->get();
    return {};
}

template<auto Field>
Verdict yes_or_no(const toml::node& value, Policy& policy) {
    const auto* boolean = value.as_boolean();
    if (boolean == nullptr)
        return "must be true or false";
    policy.*Field = boolean->get();
    return {};
}

Verdict account_user(const toml::node& value, Policy& policy) {
    const auto* text = value.as_string();
    if (text == nullptr || !is_account_name(text->get()))
        return "must be the name of a user";
    if (text->get() == "root")
        return "must not be root";
    policy.account_user = text->get();
    return {};
}

Verdict group(const toml::node& value, Policy& policy) {
    const auto* text = value.as_string();
    if (text == nullptr || (!text->get().empty() && !is_account_name(text->get())))
        return "must be the name of a group, or empty";
    policy.spool_gid = keyring::k_inherit_group;
    if (text->get().empty())
        return {};
    std::vector<char> buffer(256 * 1024); // a group's line grows with its members
    ::group entry{};
    ::group* found = nullptr;
    const int error = ::getgrnam_r(text->get().c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found == nullptr)
        return error == 0 ? "names a group that does not exist" : "names a group that could not be looked up";
    policy.spool_gid = found->gr_gid;
    return {};
}

Verdict mode(const toml::node& value, Policy& policy) {
    const auto* text = value.as_string();
    const auto bits = text != nullptr ? parse_mode(text->get()) : std::nullopt;
    if (!bits)
        return "must be an octal mode in quotes, as \"0660\"";
    if ((*bits & ~std::uint32_t{0666}) != 0)
        return "must not have execute, set-id or sticky bits";
    if ((*bits & 0400) == 0)
        return "must let the owner read";
    policy.spool_mode = *bits;
    return {};
}

Verdict durability(const toml::node& value, Policy& policy) {
    const auto text = value.value<std::string_view>();
    if (text == "full")
        policy.spool_durability = Durability::full;
    else if (text == "file")
        policy.spool_durability = Durability::file;
    else if (text == "none")
        policy.spool_durability = Durability::none;
    else
        return "must be \"full\", \"file\" or \"none\"";
    return {};
}

Verdict staging_method(const toml::node& value, Policy& policy) {
    const auto text = value.value<std::string_view>();
    if (text == "automatic")
        policy.spool_staging_method = StagingMethod::automatic;
    else if (text == "named")
        policy.spool_staging_method = StagingMethod::named;
    else
        return "must be \"automatic\" or \"named\"";
    return {};
}

constexpr Setting k_settings[] = {
    {"account", "user", account_user},
    {"spool", "directory", directory<&Policy::spool_directory>},
    {"spool", "staging", directory<&Policy::spool_staging>},
    {"spool", "mode", mode},
    {"spool", "group", group},
    {"spool", "durability", durability},
    {"spool", "staging_method", staging_method},
    {"spool", "min_free", size<&Policy::spool_min_free, 0, k_tib>},
    {"spool", "min_free_percent", count<&Policy::spool_min_free_percent, 0, 50>},
    // The upper bound is that of the design: a packet is staged in memory.
    {"drop", "max_file_size", size<&Policy::drop_max_file_size, 1, 64 * k_mib>},
    {"drop", "session_files", count<&Policy::drop_session_files, 1, 1'000'000>},
    {"drop", "session_bytes", size<&Policy::drop_session_bytes, 1, k_tib>},
    {"drop", "idle_timeout", time<&Policy::drop_idle_timeout, 1, 3600>},
    {"drop", "session_timeout", time<&Policy::drop_session_timeout, 1, 86'400>},
    {"audit", "key_served", yes_or_no<&Policy::audit_key_served>},
};

class ConfigReader {
  public:
    ConfigReader(const toml::table& root, const std::string& name) : root_(root), name_(name) {}

    [[nodiscard]] Policy read() {
        for (const auto& [section, node] : root_)
            read_section(section, node);
        if (!wrong_.empty())
            refuse();
        if (!has("spool", "staging"))
            policy_.spool_staging =
                policy_.spool_directory.substr(0, policy_.spool_directory.rfind('/')) + "/staging";
        check_together();
        if (!wrong_.empty())
            refuse();
        return policy_;
    }

  private:
    struct Wrong {
        std::uint32_t line;
        std::string text;
    };

    void add(const toml::source_region& where, std::string text) {
        wrong_.push_back({where.begin.line, std::move(text)});
    }

    void read_section(const toml::key& section, const toml::node& node) {
        const auto known = [&](const Setting& s) { return s.section == section.str(); };
        if (std::none_of(std::begin(k_settings), std::end(k_settings), known))
            return add(section.source(),
                       fmt::format("unknown section or setting \"{}\"", escape_visible(section.str())));
        const toml::table* table = node.as_table();
        if (table == nullptr)
            return add(section.source(),
                       fmt::format("\"{}\" must be a section: [{}]", section.str(), section.str()));
        for (const auto& [key, value] : *table) {
            const auto row =
                std::find_if(std::begin(k_settings), std::end(k_settings), [&](const Setting& s) {
                    return s.section == section.str() && s.key == key.str();
                });
            const std::string full = fmt::format("{}.{}", section.str(), escape_visible(key.str()));
            if (row == std::end(k_settings))
                add(key.source(), fmt::format("unknown setting {}", full));
            else if (const Verdict verdict = row->apply(value, policy_); !verdict.empty())
                add(key.source(), fmt::format("{} {}", full, verdict));
        }
    }

    // Rules between settings; the line is that of the one the administrator wrote.
    void check_together() {
        if (is_same_or_below(policy_.spool_staging, policy_.spool_directory) ||
            is_same_or_below(policy_.spool_directory, policy_.spool_staging))
            add(has("spool", "staging") ? where("spool", "staging") : where("spool", "directory"),
                "spool.staging must be beside spool.directory: neither the same nor one below the other");
        if (policy_.drop_session_bytes < policy_.drop_max_file_size)
            add(has("drop", "session_bytes") ? where("drop", "session_bytes")
                                             : where("drop", "max_file_size"),
                "drop.session_bytes must not be smaller than drop.max_file_size");
    }

    [[nodiscard]] bool has(std::string_view section, std::string_view key) const {
        return root_[section][key].node() != nullptr;
    }
    [[nodiscard]] toml::source_region where(std::string_view section, std::string_view key) const {
        const toml::node* node = root_[section][key].node();
        return node != nullptr ? node->source() : toml::source_region{};
    }

    [[noreturn]] void refuse() {
        const auto first = std::min_element(wrong_.begin(), wrong_.end(),
                                            [](const Wrong& a, const Wrong& b) { return a.line < b.line; });
        const std::string more =
            wrong_.size() > 1 ? fmt::format(" (and {} more)", wrong_.size() - 1) : std::string();
        stop(Status::bad_data, "{}:{}: {}{}", escape_visible(name_), first->line, first->text, more);
    }

    const toml::table& root_;
    const std::string& name_;
    Policy policy_;
    std::vector<Wrong> wrong_;
};

// Does toml++ stumble over its own assertion in this text?
[[nodiscard]] bool fails_assertion(std::string_view text) {
    try {
        static_cast<void>(toml::parse(text));
    } catch (const AssertionFailed&) {
        return true;
    } catch (const toml::parse_error&) { // a cut text: no matter
    }
    return false;
}

// The line of that: the first one with which the text begins to fail. Parsing goes from front to back, so
// that a longer piece of the text fails where a shorter one did.
[[nodiscard]] std::uint32_t line_of_assertion(std::string_view text) {
    std::vector<std::size_t> ends; // of lines
    for (std::size_t end = 0; (end = text.find('\n', end)) != std::string_view::npos;)
        ends.push_back(++end);
    const auto first = std::partition_point(
        ends.begin(), ends.end(), [text](std::size_t end) { return !fails_assertion(text.substr(0, end)); });
    return static_cast<std::uint32_t>(first - ends.begin()) + 1;
}

} // namespace

Policy parse_config(std::string_view text, const std::string& name) {
    try {
        const toml::table root = toml::parse(text, name);
        return ConfigReader(root, name).read();
    } catch (const toml::parse_error& error) {
        stop(Status::bad_data, "{}:{}: {}", escape_visible(name), error.source().begin.line,
             escape_visible(error.description()));
    } catch (const AssertionFailed&) {
        stop(Status::bad_data, "{}:{}: not a section, a setting or a value that TOML knows",
             escape_visible(name), line_of_assertion(text));
    }
}

Config load_config(const std::string& path, uid_t owner) {
    constexpr std::size_t k_max_config = 256 * 1024;
    const std::string shown = escape_visible(path);
    auto fd = open_regular(path.c_str());
    if (!fd && fd.error().code == Errc::missing)
        return {.policy = {}, .missing = true};
    if (!fd)
        stop(fd.error().sys_errno == EACCES ? Status::no_permission : Status::io, "{}: {}", shown,
             describe(fd.error()));
    struct stat st {};
    if (::fstat(fd->get(), &st) != 0)
        stop(Status::io, "{}: {}", shown, describe(fail_errno("cannot stat file").error()));
    if (st.st_uid != 0 && st.st_uid != owner)
        stop(Status::no_permission, "{0} belongs to uid {1}: run `chown root {0}`", shown, st.st_uid);
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        stop(Status::no_permission, "{0} is writable by group or others: run `chmod go-w {0}`", shown);
    const auto text = read_all(fd->get(), k_max_config);
    if (!text)
        stop(text.error().code == Errc::too_large ? Status::bad_data : Status::io, "{}: {}", shown,
             describe(text.error()));
    return {.policy = parse_config(*text, path), .missing = false};
}

} // namespace gate::ctl
