#include "gatectl/quarantine/purge.h"

#include "gatectl/problem.h"
#include "lib/base/clock.h"

namespace gate::ctl {

namespace {

// More than this in one command are told together: a logger's queue is short.
constexpr std::size_t k_told_one_by_one = 100;

void tell_purged(Context& context, const ShelfEntry& entry, const std::optional<Facts>& facts) {
    audit::Line line(audit::Event::quarantine_purged);
    line.text("operator", context.operator_name).text("quarantine", entry.id);
    if (facts)
        line.text_if("key", facts->key)
            .text_if("file", facts->file)
            .text_if("sha256", facts->sha256)
            .text_if("rule", facts->reason);
    line.number("bytes", entry.size);
    tell(context, std::move(line));
}

} // namespace

std::vector<ShelfEntry> older_than(std::vector<ShelfEntry> entries, std::uint64_t age) {
    const std::int64_t now = wall_clock_us() / 1'000'000;
    std::erase_if(entries, [&](const ShelfEntry& entry) {
        return entry.since > now || static_cast<std::uint64_t>(now - entry.since) <= age;
    });
    return entries;
}

Purged purge_entries(Context& context, const Shelf& shelf, const std::vector<ShelfEntry>& entries) {
    Purged out;
    const bool one_by_one = entries.size() <= k_told_one_by_one;
    for (const ShelfEntry& entry : entries) {
        const auto facts = one_by_one ? shelf.facts(entry.id) : std::nullopt;
        if (const auto removed = shelf.remove(entry.id); !removed) {
            out.failed.push_back(fmt::format("{}: {}", entry.id, describe(removed.error())));
            continue;
        }
        ++out.packets;
        out.bytes += entry.size;
        if (one_by_one)
            tell_purged(context, entry, facts);
    }
    if (!one_by_one && out.packets != 0) {
        audit::Line line(audit::Event::quarantine_purged);
        line.text("operator", context.operator_name)
            .number("packets", out.packets)
            .number("bytes", out.bytes);
        tell(context, std::move(line));
    }
    return out;
}

} // namespace gate::ctl
