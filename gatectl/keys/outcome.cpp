#include "gatectl/keys/outcome.h"

#include "gatectl/keys/json.h"
#include "gatectl/publish/publish.h"
#include "lib/base/clock.h"

namespace gate::ctl {

namespace {

void tell_changed(Context& context, const StoredKey& key, std::string_view action, std::uint64_t generation) {
    audit::Line line(audit::Event::key_changed);
    line.text("operator", context.operator_name)
        .text("action", action)
        .text("key", key.id)
        .text("fingerprint", key.fingerprint)
        .text("agents", join(key.agents, '/')) // '/' cannot be part of a name
        .text_if("binding", key.binding)
        .number("generation", generation);
    tell(context, std::move(line));
}

[[nodiscard]] std::string to_text(const Context& context, const Outcome& outcome) {
    Json out = {{"action", outcome.action}, {"dry_run", context.dry_run}};
    const std::int64_t now = wall_clock_us() / 1'000'000;
    for (const auto& [name, keys] : {std::pair{"changed", &outcome.keys}, {"unchanged", &outcome.as_was}}) {
        out[name] = Json::array();
        for (const StoredKey& key : *keys)
            out[name].push_back(to_json(key, now));
    }
    out["published"] = outcome.published.happened ? to_json(outcome.published) : Json();
    return dump(out);
}

} // namespace

std::string finish(Context& context, const Outcome& outcome) {
    const Published& published = outcome.published;
    if (!context.dry_run) {
        for (const StoredKey& key : outcome.keys)
            tell_changed(context, key, outcome.action, published.generation);
        if (published.happened)
            tell_published(context, published);
    }
    if (context.json)
        return to_text(context, outcome);
    if (context.dry_run)
        return "dry run: nothing was changed; without --dry-run it would say\n" + outcome.text;
    std::string out = outcome.text;
    if (published.happened)
        out += describe(published) + '\n';
    return out;
}

} // namespace gate::ctl
