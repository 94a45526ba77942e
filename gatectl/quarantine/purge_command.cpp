// `quarantine purge`.
#include "gatectl/problem.h"
#include "gatectl/publish/change.h"
#include "gatectl/publish/units.h"
#include "gatectl/quarantine/commands.h"
#include "gatectl/quarantine/purge.h"
#include "lib/base/text.h"

#include <algorithm>

namespace gate::ctl {

namespace {

[[nodiscard]] std::vector<ShelfEntry> meant(const Shelf& shelf, const PurgeRequest& request,
                                            const keyring::Policy& policy) {
    std::vector<ShelfEntry> all = shelf.packets();
    if (request.all)
        return all;
    std::vector<ShelfEntry> out;
    for (const std::string& name : request.ids) {
        const ShelfEntry& entry = select_entry(all, name);
        if (std::none_of(out.begin(), out.end(), [&](const ShelfEntry& e) { return e.id == entry.id; }))
            out.push_back(entry);
    }
    if (!out.empty())
        return out;
    if (request.older_than.empty())
        return older_than(std::move(all), policy.quarantine_max_age);
    const auto age = parse_time(request.older_than);
    if (!age)
        stop(Status::usage, "--older-than is a time, as \"30d\", not \"{}\"",
             escape_visible(request.older_than));
    return older_than(std::move(all), *age);
}

} // namespace

std::string purge_quarantine(Context& context, const PurgeRequest& request) {
    if ((request.ids.empty() ? 0 : 1) + (request.older_than.empty() ? 0 : 1) + (request.all ? 1 : 0) > 1)
        stop(Status::usage, "say which: ID..., or --older-than TIME, or --all");
    const keyring::Policy policy = policy_in_force(context);
    const auto shelf = Shelf::open(policy.spool_quarantine);
    if (!shelf) {
        if (!request.ids.empty())
            static_cast<void>(select_entry({}, request.ids.front())); // throws: there is none
        return "purged 0 packets\n";
    }
    shelf->remove_orphans();
    const Purged purged = purge_entries(context, *shelf, meant(*shelf, request, policy));
    if (const auto account = find_account(policy.account_user))
        if (std::string wrong = correct_usage(context, *shelf, *account); !wrong.empty())
            context.remarks.push_back(std::move(wrong));
    for (const std::string& line : purged.failed) {
        context.exit_status = static_cast<int>(Status::io);
        context.remarks.push_back(line);
    }
    return fmt::format("purged {} packet{}{}\n", purged.packets, purged.packets == 1 ? "" : "s",
                       purged.packets == 0 ? "" : fmt::format(", {} bytes", purged.bytes));
}

} // namespace gate::ctl
