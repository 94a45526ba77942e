#include "gatectl/publish/publish.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace gate::ctl {

namespace {

[[nodiscard]] const char* words(Published::PolicyChange change) {
    switch (change) {
    case Published::PolicyChange::first:
        return "new";
    case Published::PolicyChange::changed:
        return "changed";
    case Published::PolicyChange::same:
        return "unchanged";
    }
    return "?";
}

} // namespace

nlohmann::ordered_json to_json(const Published& p) {
    if (!p.happened)
        return nullptr;
    return {{"generation", p.generation},
            {"active", p.active},
            {"revoked", p.revoked},
            {"policy", words(p.policy)}};
}

void tell_published(Context& context, const Published& published) {
    audit::Line line(audit::Event::keyring_published);
    line.text("operator", context.operator_name)
        .number("generation", published.generation)
        .number("active", published.active)
        .number("revoked", published.revoked)
        .text("policy", words(published.policy));
    tell(context, std::move(line));
}

std::string publish_command(Context& context) {
    const Published published = change_and_publish(context, PolicyFrom::config, [](Store&) { return true; });
    tell_published(context, published);
    if (published.outdated != 0)
        context.remarks.push_back(fmt::format(
            "{} published key(s) would not be accepted by keys.types and keys.min_rsa_bits any more, for "
            "instance {}; they go on being served",
            published.outdated, published.outdated_example));
    return fmt::format("{}; policy {}\n", describe(published), words(published.policy));
}

} // namespace gate::ctl
