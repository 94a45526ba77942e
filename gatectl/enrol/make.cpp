// `enrol code`: makes codes, and shows them this once.
#include "gatectl/enrol/code_file.h"
#include "gatectl/enrol/code_table.h"
#include "gatectl/enrol/commands.h"
#include "gatectl/enrol/tell.h"
#include "gatectl/keys/commands.h"
#include "gatectl/keys/csv.h"
#include "gatectl/keys/json.h"
#include "gatectl/keys/names.h"
#include "gatectl/keys/network.h"
#include "gatectl/keys/when.h"
#include "gatectl/problem.h"
#include "gatectl/publish/publish.h"
#include "gatectl/store/location.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <algorithm>

namespace gate::ctl {

namespace {

// Longer is a standing door, and no code on its way to somebody who waits for it.
constexpr std::int64_t k_longest = std::int64_t{30} * 24 * 60 * 60;    // seconds
constexpr std::int64_t k_remembered = std::int64_t{90} * 24 * 60 * 60; // a code that has ended, in the list

struct Made {
    StoredCode code;
    std::string text; // the code itself
};

[[nodiscard]] std::string random_id() {
    constexpr std::string_view k_symbols = "0123456789abcdefghjkmnpqrstvwxyz";
    std::array<std::uint8_t, 8> random{};
    fill_random(random.data(), random.size());
    std::string out = "c-";
    for (const std::uint8_t byte : random)
        out += k_symbols[byte % k_symbols.size()];
    return out;
}

[[nodiscard]] StoredCode understand(const CodeRequest& request, const CodeRow& row, std::int64_t now) {
    StoredCode code;
    code.agents = check_agents(row.agents);
    if (code.agents.empty())
        stop(Status::usage, "say for whom the code is: --agent NAME");
    code.from = check_networks(row.from);
    if (!row.expires.empty())
        code.key_expires_at = parse_expiry(row.expires, now);
    code.note = row.note;
    code.replaces = request.replace;
    code.made_at = now;
    return code;
}

[[nodiscard]] std::vector<StoredCode> wanted(const CodeRequest& request, std::int64_t now) {
    std::vector<StoredCode> out;
    if (request.csv.empty()) {
        out.push_back(
            understand(request, {0, request.agents, request.from, request.expires, request.note}, now));
        return out;
    }
    if (!request.agents.empty() || !request.from.empty() || !request.expires.empty())
        stop(Status::usage, "--csv says agents, networks and expiry by itself");
    for (const CodeRow& row : read_code_table(request.csv)) {
        try {
            out.push_back(understand(request, row, now));
            check_text("note", row.note);
        } catch (const Problem& problem) {
            throw Problem(Status::bad_data, fmt::format("line {}: {}", row.line, problem.what()));
        }
        if (out.size() > enrol::k_max_codes)
            stop(Status::bad_data, "more than {} codes at once", enrol::k_max_codes);
    }
    if (out.empty())
        stop(Status::bad_data, "there is no agent in the table");
    return out;
}

[[nodiscard]] std::vector<Made> make(Context& context, std::vector<StoredCode> codes, std::int64_t until) {
    publish_if_none(context);
    Store store(context.store, context.owner, context.store_patience);
    Store::Transaction transaction(store, Store::Transaction::Kind::write);
    const enrol::Salt salt = salt_of(store);
    std::vector<Made> out;
    for (StoredCode& code : codes) {
        std::array<std::uint8_t, enrol::k_code_symbols * 5 / 8> random{};
        fill_random(random.data(), random.size());
        Made made{std::move(code), enrol::format_code(random)};
        made.code.id = random_id();
        made.code.hash = hex_encode(enrol::hash_code(salt, enrol::canonical_code(made.text).value()));
        made.code.made_by = context.operator_name;
        made.code.expires_at = until;
        store.insert_code(made.code);
        out.push_back(std::move(made));
    }
    if (context.dry_run)
        return out; // the codes go with the transaction
    store.forget_codes(out.front().code.made_at - k_remembered);
    write_code_file(context, store, out.front().code.made_at);
    transaction.commit();
    return out;
}

[[nodiscard]] std::string as_json(const Context& context, const std::vector<Made>& all) {
    Json out = {{"dry_run", context.dry_run}, {"codes", Json::array()}};
    for (const Made& made : all) {
        Json one = to_json(made.code, made.code.made_at);
        one["code"] = context.dry_run ? Json() : Json(made.text);
        out["codes"].push_back(std::move(one));
    }
    return dump(out);
}

[[nodiscard]] std::string as_text(const std::vector<Made>& all, bool table) {
    std::string out;
    if (table) {
        out = "agent,code,id,until\n";
        for (const Made& made : all)
            out += fmt::format("{},{},{},{}\n", csv_field(join(made.code.agents, ';')), made.text,
                               made.code.id, time_text(made.code.expires_at));
        return out;
    }
    const StoredCode& code = all.front().code;
    return fmt::format("{}\ncode {} for agent {}, good until {}\n", all.front().text, code.id,
                       list_agents(code.agents), time_text(code.expires_at));
}

} // namespace

std::string make_codes(Context& context, const CodeRequest& request) {
    const std::int64_t now = wall_clock_us() / 1'000'000;
    check_text("note", request.note);
    const std::int64_t length = parse_length("--for", request.duration);
    if (length == 0 || length > k_longest)
        stop(Status::usage, "--for is a time from 1s to 30d, not \"{}\"", escape_visible(request.duration));
    demand_not_lost(context.store, context.keyring);
    const std::vector<Made> all = make(context, wanted(request, now), now + length);
    for (const Made& made : all)
        tell_code_made(context, made.code);
    if (!context.dry_run)
        for (const Made& made : all)
            remark_on_patterns(context, made.code.agents);
    if (context.json)
        return as_json(context, all);
    if (context.dry_run)
        return fmt::format("dry run: nothing was changed; without --dry-run it would make {} {}\n",
                           all.size(), all.size() == 1 ? "code" : "codes");
    return as_text(all, !request.csv.empty());
}

} // namespace gate::ctl
