// `quarantine list` and `quarantine show`. Everything in the quarantine was chosen by somebody else: what is
// shown is escaped, in JSON as in the audit trail.
#include "gatectl/keys/commands.h"
#include "gatectl/problem.h"
#include "gatectl/publish/change.h"
#include "gatectl/quarantine/commands.h"
#include "gatectl/quarantine/shelf.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace gate::ctl {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t k_shown_lines = 20;
constexpr std::size_t k_shown_line = 160;   // bytes of one
constexpr std::size_t k_max_raw = 65 << 20; // bytes; no packet is larger

[[nodiscard]] std::vector<ShelfEntry> packets_of(const std::optional<Shelf>& shelf) {
    return shelf ? shelf->packets() : std::vector<ShelfEntry>();
}

// "45s", "12min", "7h", "29d".
[[nodiscard]] std::string age_of(std::int64_t since) {
    const std::int64_t age = std::max<std::int64_t>(wall_clock_us() / 1'000'000 - since, 0);
    if (age < 120)
        return fmt::format("{}s", age);
    if (age < 2 * 3600)
        return fmt::format("{}min", age / 60);
    return age < 48 * 3600 ? fmt::format("{}h", age / 3600) : fmt::format("{}d", age / 86'400);
}

[[nodiscard]] std::string size_of(std::uint64_t bytes) {
    if (bytes < 10'000)
        return std::to_string(bytes);
    return bytes < 10'000'000 ? fmt::format("{}k", bytes / 1000) : fmt::format("{}M", bytes / 1'000'000);
}

// Lines stay within 80 columns: the id alone takes 33.
[[nodiscard]] std::string row(std::string_view id, std::string_view age, std::string_view size,
                              std::string_view reason, std::string_view key) {
    constexpr std::size_t k_key = 16;
    std::string last(key.substr(0, k_key));
    if (key.size() > k_key)
        last.replace(k_key - 3, 3, "...");
    return fmt::format("{:<33}  {:<5}  {:<5}  {:<15}  {}\n", id, age, size, reason.substr(0, 15), last);
}

[[nodiscard]] Json to_json(const ShelfEntry& entry, const std::optional<Facts>& facts) {
    Json out = {{"quarantine", entry.id}, {"size", entry.size}, {"since", time_text(entry.since)}};
    out["sidecar"] = facts.has_value();
    if (!facts)
        return out;
    const std::pair<const char*, const std::string&> fields[] = {
        {"time", facts->time},
        {"session", facts->session},
        {"key", facts->key},
        {"fingerprint", facts->fingerprint},
        {"peer", facts->peer},
        {"file", facts->file},
        {"sha256", facts->sha256},
        {"reason", facts->reason},
        {"why", facts->why},
        {"remedy", facts->remedy},
        {"packet_agent", facts->packet_agent},
    };
    for (const auto& [name, value] : fields)
        if (!value.empty())
            out[name] = latin1(value);
    return out;
}

[[nodiscard]] std::string read_packet(const Shelf& shelf, const ShelfEntry& entry) {
    const auto fd = shelf.open_packet(entry.id);
    if (!fd)
        stop(Status::io, "{}: {}", entry.id, describe(fd.error()));
    auto bytes = read_all(fd->get(), k_max_raw);
    if (!bytes)
        stop(Status::io, "{}: {}", entry.id, describe(bytes.error()));
    return std::move(*bytes);
}

[[nodiscard]] std::string first_lines(std::string_view bytes) {
    std::string out;
    for (std::size_t n = 0; !bytes.empty(); ++n) {
        if (n == k_shown_lines)
            return out + "  ...\n";
        const std::size_t end = std::min(bytes.find('\n'), bytes.size());
        out += "  " + escape_visible(bytes.substr(0, end), k_shown_line) + '\n';
        bytes.remove_prefix(std::min(end + 1, bytes.size()));
    }
    return out;
}

void show_facts(std::string& out, const std::optional<Facts>& facts) {
    if (!facts) {
        out += "sidecar      missing or damaged: nobody knows who sent it, and it cannot be released\n";
        return;
    }
    const std::pair<const char*, const std::string&> fields[] = {
        {"received", facts->time},
        {"key", facts->key},
        {"fingerprint", facts->fingerprint},
        {"peer", facts->peer},
        {"session", facts->session},
        {"file", facts->file},
        {"agent in it", facts->packet_agent},
        {"reason", facts->reason},
        {"why", facts->why},
        {"remedy", facts->remedy},
        {"sha256", facts->sha256},
    };
    for (const auto& [name, value] : fields)
        if (!value.empty())
            out += fmt::format("{:<12} {}\n", name, escape_visible(value, 400));
}

} // namespace

std::string list_quarantine(Context& context, bool json) {
    const auto shelf = Shelf::open(policy_in_force(context).spool_quarantine);
    const auto entries = packets_of(shelf);
    if (!entries.empty())
        context.exit_status = k_something_waits;
    if (json) {
        Json out = Json::array();
        for (const ShelfEntry& entry : entries)
            out.push_back(to_json(entry, shelf->facts(entry.id)));
        return out.dump(2, ' ', true) + '\n';
    }
    if (entries.empty()) {
        context.remarks.emplace_back("the quarantine is empty");
        return {};
    }
    std::string out = row("ID", "AGE", "SIZE", "REASON", "KEY");
    for (const ShelfEntry& entry : entries) {
        const auto facts = shelf->facts(entry.id);
        out += row(entry.id, age_of(entry.since), size_of(entry.size),
                   facts ? escape_visible(facts->reason) : "(no sidecar)",
                   facts ? escape_visible(facts->key) : "-");
    }
    return out;
}

std::string show_quarantine(Context& context, const ShowRequest& request) {
    if (request.json && request.raw)
        stop(Status::usage, "--raw gives the packet's bytes: leave --json out");
    const auto shelf = Shelf::open(policy_in_force(context).spool_quarantine);
    const auto entries = packets_of(shelf);
    const ShelfEntry& entry = select_entry(entries, request.id);
    const std::string path = fmt::format("{}/{}{}", shelf->path(), entry.id, spool::k_packet_suffix);
    if (request.raw)
        return read_packet(*shelf, entry);
    const auto facts = shelf->facts(entry.id);
    if (request.json) {
        Json out = to_json(entry, facts);
        out["path"] = latin1(path);
        return out.dump(2, ' ', true) + '\n';
    }
    std::string out = fmt::format("id           {}\npath         {}\nbytes        {}\n", entry.id,
                                  escape_visible(path, path.size()), entry.size);
    show_facts(out, facts);
    return out + "packet\n" + first_lines(read_packet(*shelf, entry));
}

} // namespace gate::ctl
