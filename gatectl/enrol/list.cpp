// `enrol codes`, `enrol cancel`.
#include "gatectl/enrol/code_file.h"
#include "gatectl/enrol/code_table.h"
#include "gatectl/enrol/commands.h"
#include "gatectl/keys/commands.h"
#include "gatectl/keys/json.h"
#include "gatectl/problem.h"
#include "gatectl/store/location.h"
#include "gatectl/table.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <algorithm>

namespace gate::ctl {

namespace {

[[nodiscard]] std::vector<StoredCode> all_codes(const Context& context) {
    if (!has_store(context))
        return {};
    Store store(context.store, context.owner, context.store_patience);
    const Store::Transaction transaction(store, Store::Transaction::Kind::read);
    return store.codes();
}

[[nodiscard]] StoredCode find_code(Store& store, const std::string& id) {
    std::vector<StoredCode> found;
    for (StoredCode& code : store.codes())
        if (!id.empty() && code.id.starts_with(id))
            found.push_back(std::move(code));
    if (found.empty())
        stop(Status::refused, "there is no code \"{}\": see `pandora-gate enrol codes`", escape_visible(id));
    if (found.size() > 1)
        stop(Status::refused, "\"{}\" is the beginning of several codes, for instance {} and {}",
             escape_visible(id), found[0].id, found[1].id);
    return std::move(found.front());
}

} // namespace

std::string list_codes(Context& context) {
    const std::int64_t now = wall_clock_us() / 1'000'000;
    const std::vector<StoredCode> codes = all_codes(context);
    if (context.json) {
        JsonArray out;
        for (const StoredCode& code : codes)
            out.add(to_json(code, now));
        return std::move(out).text();
    }
    if (codes.empty()) {
        context.remarks.emplace_back("there are no codes: make one with `pandora-gate enrol code`");
        return {};
    }
    Table table({"ID", "STATE", "UNTIL", "AGENT"});
    for (const StoredCode& code : codes)
        table.add({code.id, standing_word(code, now), time_text(code.expires_at), list_agents(code.agents)});
    return table.text(static_cast<std::size_t>(context.columns));
}

std::string cancel_code(Context& context, const std::string& id) {
    const std::int64_t now = wall_clock_us() / 1'000'000;
    demand_not_lost(context.store, context.keyring);
    Store store(context.store, context.owner, context.store_patience);
    Store::Transaction transaction(store, Store::Transaction::Kind::write);
    StoredCode code = find_code(store, id);
    if (code.state == StoredCode::State::used)
        stop(Status::refused,
             "the code {} was used on {}: to take the key back, `pandora-gate keys revoke {}`", code.id,
             time_text(code.state_at), code.used_key);
    const bool open = code.state == StoredCode::State::open;
    if (open) {
        code.state = StoredCode::State::cancelled;
        code.state_at = now;
        code.state_by = context.operator_name;
        store.update_code(code);
    }
    if (!context.dry_run) {
        write_code_file(context, store, now); // also if it was cancelled before, and the file not written
        transaction.commit();
    }
    if (context.json)
        return dump({{"dry_run", context.dry_run}, {"changed", open}, {"code", to_json(code, now)}});
    if (!open)
        return fmt::format("{} is cancelled already, nothing changed\n", code.id);
    return fmt::format("{}cancelled {} for agent {}\n",
                       context.dry_run ? "dry run: nothing was changed; without --dry-run it would say\n"
                                       : "",
                       code.id, list_agents(code.agents));
}

} // namespace gate::ctl
