#include "gatectl/publish/publish.h"

#include "gatectl/problem.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace gate::ctl {

namespace {

[[nodiscard]] std::string details(const Published& published) {
    std::string out = fmt::format("; policy {}", word_of(published.policy));
    if (const auto& keys = published.keys; keys && keys->added + keys->changed + keys->removed == 0)
        out += "; keys unchanged";
    else if (keys)
        out += fmt::format("; keys: {} added, {} changed, {} removed", keys->added, keys->changed,
                           keys->removed);
    out += '\n';
    for (const std::string& setting : published.settings)
        out += fmt::format("  {}\n", setting);
    return out;
}

} // namespace

const char* word_of(Published::PolicyChange change) {
    switch (change) {
    case Published::PolicyChange::first:
        return "new";
    case Published::PolicyChange::changed:
        return "changed";
    case Published::PolicyChange::same:
        break;
    }
    return "unchanged";
}

nlohmann::ordered_json to_json(const Published& p) {
    if (p.generation == 0)
        return nullptr;
    nlohmann::ordered_json keys;
    if (p.keys)
        keys = {{"added", p.keys->added}, {"changed", p.keys->changed}, {"removed", p.keys->removed}};
    return {{"generation", p.generation},
            {"active", p.tally.active},
            {"disabled", p.tally.disabled},
            {"revoked", p.tally.revoked},
            {"keys", keys},
            {"policy", word_of(p.policy)},
            {"settings", p.settings}};
}

void tell_published(Context& context, const Published& published) {
    audit::Line line(audit::Event::keyring_published);
    line.text("operator", context.operator_name)
        .number("generation", published.generation)
        .number("active", published.tally.active)
        .number("revoked", published.tally.revoked)
        .text("policy", word_of(published.policy));
    tell(context, std::move(line));
}

void publish_if_none(Context& context) {
    if (context.dry_run || ::access(context.keyring.c_str(), F_OK) == 0)
        return;
    tell_published(context, change_and_publish(context, PolicyFrom::config, [](Store&) { return true; }));
}

std::string publish_command(Context& context) {
    const Published published = change_and_publish(context, PolicyFrom::config, [](Store&) { return true; });
    if (!context.dry_run)
        tell_published(context, published);
    const Tally& tally = published.tally;
    if (tally.outdated != 0)
        context.remarks.push_back(fmt::format(
            "{} published key(s) would not be accepted by keys.types and keys.min_rsa_bits any more, for "
            "instance {}; they go on being served",
            tally.outdated, tally.outdated_example));
    if (context.json)
        return to_json(published).dump(2, ' ', true) + '\n';
    if (context.dry_run)
        return fmt::format("dry run: would publish generation {}: {} active, {} revoked{}",
                           published.generation, tally.active, tally.revoked, details(published));
    return describe(published) + details(published);
}

} // namespace gate::ctl
