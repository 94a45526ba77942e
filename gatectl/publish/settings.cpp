#include "gatectl/publish/settings.h"

#include "gatectl/publish/units.h"
#include "lib/spool/quarantine.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <grp.h>
#include <optional>
#include <vector>

namespace gate::ctl {

namespace {

using keyring::Policy;

// Empty: the value was taken. Otherwise what it has to be.
using Verdict = std::string;

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
        return fmt::format(
            "must be a time from {} to {} seconds, as 30, \"90s\", \"10min\", \"1h\" or \"30d\"", Least,
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

template<class T>
struct Word {
    std::string_view name;
    T value;
};
template<class T>
Word(const char*, T) -> Word<T>;

constexpr std::array k_durabilities = {Word{"full", keyring::Durability::full},
                                       Word{"file", keyring::Durability::file},
                                       Word{"none", keyring::Durability::none}};
constexpr std::array k_staging_methods = {Word{"automatic", keyring::StagingMethod::automatic},
                                          Word{"named", keyring::StagingMethod::named}};
constexpr std::array k_bindings = {Word{"enforce", keyring::Binding::enforce},
                                   Word{"observe", keyring::Binding::observe},
                                   Word{"off", keyring::Binding::off}};
constexpr std::array k_unbound = {Word{"learn", keyring::Unbound::learn},
                                  Word{"allow", keyring::Unbound::allow},
                                  Word{"refuse", keyring::Unbound::refuse}};
constexpr std::array k_recursive = {Word{"refuse", keyring::Recursive::refuse},
                                    Word{"flatten", keyring::Recursive::flatten}};
constexpr std::array k_rotations = {Word{"off", keyring::Rotation::off},
                                    Word{"pending", keyring::Rotation::pending},
                                    Word{"auto", keyring::Rotation::automatic}};
constexpr std::array k_audit_modes = {Word{"best-effort", keyring::AuditMode::best_effort},
                                      Word{"required", keyring::AuditMode::required}};

template<auto Field, auto& Words>
Verdict word(const toml::node& value, Policy& policy) {
    const auto text = value.value<std::string_view>();
    std::string wanted;
    for (std::size_t i = 0; i < Words.size(); ++i) {
        if (text == Words[i].name) {
            policy.*Field = Words[i].value;
            return {};
        }
        wanted += fmt::format("{}\"{}\"", i == 0 ? "" : i + 1 == Words.size() ? " or " : ", ", Words[i].name);
    }
    return "must be " + wanted;
}

constexpr std::uint32_t k_day = 24 * 60 * 60;

Verdict account_user(const toml::node& value, Policy& policy) {
    const auto* text = value.as_string();
    if (text == nullptr || !is_account_name(text->get()))
        return "must be the name of a user";
    if (text->get() == "root")
        return "must not be root";
    policy.account_user = text->get();
    return {};
}

Verdict account_group(const toml::node& value, Policy& policy) {
    const auto* text = value.as_string();
    if (text == nullptr || !is_account_name(text->get()))
        return "must be the name of a group";
    policy.account_group = text->get();
    return {};
}

// The policy keeps lists as one text, with commas between.
[[nodiscard]] std::optional<std::string> list_of(const toml::node& value, bool (*is_item)(std::string_view)) {
    const auto* array = value.as_array();
    if (array == nullptr || array->empty())
        return std::nullopt;
    std::string out;
    for (const toml::node& item : *array) {
        const auto* text = item.as_string();
        if (text == nullptr || !is_item(text->get()))
            return std::nullopt;
        out += (out.empty() ? "" : ",") + text->get();
    }
    return out;
}

Verdict account_shells(const toml::node& value, Policy& policy) {
    const auto is_shell = [](std::string_view path) {
        return is_clean_directory(path) && path.find(',') == std::string_view::npos;
    };
    auto list = list_of(value, is_shell);
    if (!list)
        return "must be a list of absolute paths without commas, as [\"/usr/sbin/nologin\"]";
    policy.account_shells = std::move(*list);
    return {};
}

Verdict keys_types(const toml::node& value, Policy& policy) {
    const auto is_type = [](std::string_view name) {
        constexpr std::array k_known = {"ed25519", "ecdsa", "rsa", "sk-ed25519", "sk-ecdsa"};
        return std::find(k_known.begin(), k_known.end(), name) != k_known.end();
    };
    auto list = list_of(value, is_type);
    if (!list)
        return "must be a list of \"ed25519\", \"ecdsa\", \"rsa\", \"sk-ed25519\" and \"sk-ecdsa\"";
    policy.keys_types = std::move(*list);
    return {};
}

// Who it is has to be known only where FTP is on: config.cpp looks it up then.
Verdict ftp_user(const toml::node& value, Policy&) {
    const auto* text = value.as_string();
    if (text == nullptr || !is_account_name(text->get()))
        return "must be the name of a user";
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

constexpr Setting k_settings[] = {
    {"account", "user", account_user},
    {"account", "group", account_group},
    {"account", "shells", account_shells},
    {"spool", "directory", directory<&Policy::spool_directory>},
    {"spool", "staging", directory<&Policy::spool_staging>},
    {"spool", "quarantine", directory<&Policy::spool_quarantine>},
    {"spool", "mode", mode},
    {"spool", "group", group},
    {"spool", "durability", word<&Policy::spool_durability, k_durabilities>},
    {"spool", "staging_method", word<&Policy::spool_staging_method, k_staging_methods>},
    {"spool", "min_free", size<&Policy::spool_min_free, 0, k_tib>},
    {"spool", "min_free_percent", count<&Policy::spool_min_free_percent, 0, 50>},
    {"spool", "max_backlog", count<&Policy::spool_max_backlog, 1, 10'000'000>},
    {"spool", "resend_window", time<&Policy::spool_resend_window, 0, k_day>},
    // The upper bound is that of the design: a packet is staged in memory.
    {"drop", "max_file_size", size<&Policy::drop_max_file_size, 1, 64 * k_mib>},
    {"drop", "session_files", count<&Policy::drop_session_files, 1, 1'000'000>},
    {"drop", "session_bytes", size<&Policy::drop_session_bytes, 1, k_tib>},
    {"drop", "idle_timeout", time<&Policy::drop_idle_timeout, 1, 3600>},
    {"drop", "session_timeout", time<&Policy::drop_session_timeout, 1, k_day>},
    {"drop", "recursive", word<&Policy::drop_recursive, k_recursive>},
    // Each file within the window is remembered in the key's memory file.
    {"quota", "files", count<&Policy::quota_files, 1, 100'000>},
    {"quota", "bytes", size<&Policy::quota_bytes, 1, k_tib>},
    {"quota", "window", time<&Policy::quota_window, 1, k_day>},
    {"content", "check", yes_or_no<&Policy::content_check>},
    {"quarantine", "max_size", size<&Policy::quarantine_max_size, 1, k_tib>},
    {"quarantine", "max_age", time<&Policy::quarantine_max_age, 1, 3650 * k_day>},
    {"binding", "default", word<&Policy::binding_default, k_bindings>},
    {"binding", "unbound_keys", word<&Policy::binding_unbound_keys, k_unbound>},
    // Below, sshd 9 refuses by itself; above, OpenSSL does.
    {"keys", "min_rsa_bits", count<&Policy::keys_min_rsa_bits, 2048, 16'384>},
    {"keys", "types", keys_types},
    {"keys", "expiry_option", yes_or_no<&Policy::keys_expiry_option>},
    {"keys", "rotation", word<&Policy::keys_rotation, k_rotations>},
    {"audit", "mode", word<&Policy::audit_mode, k_audit_modes>},
    {"audit", "key_served", yes_or_no<&Policy::audit_key_served>},
    {"audit", "repeat_window", time<&Policy::audit_repeat_window, 0, k_day>},
    {"ftp", "enabled", yes_or_no<&Policy::ftp_enabled>},
    {"ftp", "directory", directory<&Policy::ftp_directory>},
    {"ftp", "user", ftp_user},
    {"ftp", "incomplete_hold", time<&Policy::ftp_incomplete_hold, 1, k_day>},
};

[[nodiscard]] bool apart(const std::string& a, const std::string& b) {
    return !is_same_or_below(a, b) && !is_same_or_below(b, a);
}

} // namespace

std::span<const Setting> settings() {
    return k_settings;
}

std::vector<Contradiction> contradictions(const Policy& p) {
    std::vector<Contradiction> out;
    if (!apart(p.spool_staging, p.spool_directory))
        out.push_back(
            {{"spool.staging", "spool.directory"},
             "spool.staging must be beside spool.directory: neither the same nor one below the other"});
    if (!apart(p.spool_quarantine, p.spool_directory) || !apart(p.spool_quarantine, p.spool_staging))
        out.push_back({{"spool.quarantine", "spool.staging", "spool.directory"},
                       "spool.quarantine must be beside spool.directory and spool.staging: neither the same "
                       "nor one below the other"});
    if (p.ftp_enabled &&
        (!apart(p.ftp_directory, p.spool_directory) || !apart(p.ftp_directory, p.spool_staging) ||
         !apart(p.ftp_directory, p.spool_quarantine)))
        out.push_back({{"ftp.directory", "spool.directory", "ftp.enabled"},
                       "ftp.directory must be beside spool.directory, spool.staging and spool.quarantine: "
                       "neither the same as one of them nor one below the other"});
    if (p.drop_session_bytes < p.drop_max_file_size)
        out.push_back({{"drop.session_bytes", "drop.max_file_size"},
                       "drop.session_bytes must not be smaller than drop.max_file_size"});
    if (p.quota_bytes < p.drop_max_file_size)
        out.push_back({{"quota.bytes", "drop.max_file_size"},
                       "quota.bytes must not be smaller than drop.max_file_size"});
    if (p.quarantine_max_size < spool::charged(p.drop_max_file_size) + spool::charged(spool::k_max_sidecar))
        out.push_back({{"quarantine.max_size", "drop.max_file_size"},
                       "quarantine.max_size must have room for a file of drop.max_file_size and what is "
                       "written about it"});
    return out;
}

} // namespace gate::ctl
