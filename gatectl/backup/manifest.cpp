#include "gatectl/backup/manifest.h"

#include "gatectl/problem.h"
#include "gatectl/store/key.h"
#include "lib/base/text.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

namespace gate::ctl::backup {

namespace {

using Json = nlohmann::ordered_json;

[[nodiscard]] bool is_hex(std::string_view text, std::size_t digits) {
    return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// "ed25519" of "ssh_host_ed25519_key": letters and digits, so that it is one component of a path.
[[nodiscard]] bool is_host_key_type(std::string_view text) {
    constexpr std::size_t k_longest = 32;
    return !text.empty() && text.size() <= k_longest &&
           text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") == std::string_view::npos;
}

[[nodiscard]] std::optional<Kind> host_key_kind(std::string_view name) {
    constexpr std::string_view k_begin = "ssh_host_";
    constexpr std::string_view k_end = "_key";
    constexpr std::string_view k_public = ".pub";
    const bool is_public = name.ends_with(k_public);
    if (is_public)
        name.remove_suffix(k_public.size());
    if (!name.starts_with(k_begin) || !name.ends_with(k_end) || name.size() <= k_begin.size() + k_end.size())
        return std::nullopt;
    name.remove_prefix(k_begin.size());
    name.remove_suffix(k_end.size());
    if (!is_host_key_type(name))
        return std::nullopt;
    return is_public ? Kind::host_key_public : Kind::host_key;
}

[[noreturn]] void wrong(const std::string& shown, const std::string& what) {
    stop(Status::bad_data, "{} is damaged: its list of members {}; nothing was changed", shown, what);
}

[[nodiscard]] Member read_member(const Json& json) {
    Member out;
    out.name = json.at("name").get<std::string>();
    out.size = json.at("size").get<std::uint64_t>();
    out.mode = json.at("mode").get<std::uint32_t>();
    out.mtime_ns = json.at("mtime_ns").get<std::int64_t>();
    out.sha256 = json.at("sha256").get<std::string>();
    return out;
}

// A million members are not held as JSON: each becomes a Member as soon as it has been read. `unread`: how
// many could not, because they are of another format, or too many.
[[nodiscard]] Json parse(std::string_view text, std::vector<Member>& members, std::size_t& unread) {
    constexpr int k_depth_of_members = 2; // { "members": [ {
    return Json::parse(text, [&](int depth, Json::parse_event_t event, Json& value) {
        if (event != Json::parse_event_t::object_end || depth != k_depth_of_members)
            return true;
        try {
            if (members.size() < k_max_members) {
                members.push_back(read_member(value));
                return false;
            }
        } catch (const nlohmann::json::exception&) {
        }
        ++unread;
        return false;
    });
}

void check_members(const Manifest& manifest, const std::string& shown) {
    std::unordered_set<std::string_view> names;
    std::uint64_t left = k_max_total;
    for (const Member& member : manifest.members) {
        const std::string name = escape_visible(member.name);
        const auto kind = kind_of(member.name);
        if (!kind)
            wrong(shown, fmt::format("names \"{}\", which belongs into no backup", name));
        if (!names.insert(member.name).second)
            wrong(shown, fmt::format("names \"{}\" twice", name));
        if (member.size > cap_of(*kind) || member.size > left)
            wrong(shown, fmt::format("has \"{}\" larger than it can be", name));
        left -= member.size;
        if (member.mtime_ns < 0)
            wrong(shown, fmt::format("has a time of \"{}\" that is none", name));
        if (!is_hex(member.sha256, 64))
            wrong(shown, fmt::format("has no SHA-256 of \"{}\"", name));
    }
    if (!names.contains(k_store))
        wrong(shown, "has no store");
}

} // namespace

std::optional<Kind> kind_of(std::string_view name) {
    if (name == k_store)
        return Kind::store;
    if (name == k_keyring)
        return Kind::keyring;
    if (name == k_config)
        return Kind::config;
    if (name == k_pause)
        return Kind::pause;
    // spool::memory_name(): "k-" and a fingerprint.
    if (name.starts_with(k_memory_prefix)) {
        name.remove_prefix(k_memory_prefix.size());
        if (name.starts_with("k-") && is_hex(name.substr(2), 64))
            return Kind::memory;
        return std::nullopt;
    }
    if (name.starts_with(k_host_key_prefix))
        return host_key_kind(name.substr(k_host_key_prefix.size()));
    return std::nullopt;
}

std::uint64_t cap_of(Kind kind) {
    switch (kind) {
    case Kind::store:
        return 32'768 * k_mega;
    case Kind::keyring:
        return 4'096 * k_mega;
    case Kind::config:
        return k_mega / 4; // what load_config() takes
    case Kind::memory:
        return 64 * k_mega; // of a million drops, the most that a quota lets in
    case Kind::pause:
    case Kind::host_key:
    case Kind::host_key_public:
        return k_mega / 16;
    }
    return 0;
}

const Member* Manifest::find(std::string_view name) const {
    const auto it =
        std::find_if(members.begin(), members.end(), [name](const Member& m) { return m.name == name; });
    return it == members.end() ? nullptr : &*it;
}

std::size_t Manifest::count(Kind kind) const {
    return static_cast<std::size_t>(std::count_if(
        members.begin(), members.end(), [kind](const Member& m) { return kind_of(m.name) == kind; }));
}

std::string to_text(const Manifest& manifest) {
    const Json head = {{"format", manifest.format},         {"program", manifest.program},
                       {"time", manifest.made_at},          {"host", latin1(manifest.host)},
                       {"generation", manifest.generation}, {"schema", manifest.schema}};
    std::string out = head.dump(-1, ' ', true);
    out.back() = ',';
    out += "\n\"members\":[";
    const char* before = "\n";
    for (const Member& member : manifest.members) {
        const Json one = {{"name", member.name},
                          {"size", member.size},
                          {"mode", member.mode},
                          {"mtime_ns", member.mtime_ns},
                          {"sha256", member.sha256}};
        out += before + one.dump(-1, ' ', true);
        before = ",\n";
    }
    return out + "\n]}\n";
}

Manifest parse_manifest(std::string_view text, const std::string& shown) {
    Manifest out;
    std::size_t unread = 0;
    try {
        const Json json = parse(text, out.members, unread);
        out.format = json.at("format").get<int>();
        out.program = json.at("program").get<std::string>();
        if (out.format != k_format)
            stop(Status::bad_data,
                 "{} has format {}, this program knows format {}: restore it with pandora-gate {} or later",
                 shown, out.format, k_format, escape_visible(out.program));
        out.made_at = json.at("time").get<std::int64_t>();
        out.host = json.at("host").get<std::string>();
        out.generation = json.at("generation").get<std::uint64_t>();
        out.schema = json.at("schema").get<int>();
    } catch (const nlohmann::json::exception&) {
        wrong(shown, "cannot be read");
    }
    if (unread != 0)
        wrong(shown, fmt::format("has {} that cannot be read, or are more than {}", unread, k_max_members));
    check_members(out, shown);
    return out;
}

} // namespace gate::ctl::backup
