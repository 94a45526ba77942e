#include "gatectl/enrol/tell.h"

namespace gate::ctl {

namespace {

using audit::Event;

[[nodiscard]] bool rotates(const HandedOver& key) {
    return key.wish == enrol::Wish::rotate;
}

void add_login(audit::Line& line, const HandedOver& key) {
    const bool by_code = key.ticket.kind == enrol::Ticket::Kind::code;
    const bool by_key = key.ticket.kind == enrol::Ticket::Kind::key;
    line.text_if("session", key.session)
        .text_if("peer", key.ticket.peer)
        .text("auth", by_code  ? "code"
                      : by_key ? "key"
                               : "password")
        .text_if("code", by_code ? key.ticket.subject : std::string())
        .text_if("old_fingerprint", by_key ? key.ticket.subject : std::string())
        .text_if("fingerprint", key.fingerprint)
        .text_if("key", key.key)
        .text_if("agents", key.agents);
}

} // namespace

void tell_code_made(Context& context, const StoredCode& code) {
    if (context.dry_run)
        return;
    audit::Line line(Event::enrol_code_made);
    line.text("operator", context.operator_name)
        .text("code", code.id)
        .text("agents", join(code.agents, '/'))
        .text_if("from", join(code.from, ','))
        .text("until", time_text(code.expires_at));
    tell(context, std::move(line));
}

void tell_opened(Context& context, const std::string& user, std::int64_t until) {
    audit::Line line(Event::enrol_opened);
    line.text("operator", context.operator_name).text("user", user).text("until", time_text(until));
    tell(context, std::move(line));
}

void tell_closed(Context& context, const std::string& user) {
    audit::Line line(Event::enrol_closed);
    line.text("operator", context.operator_name).text("user", user);
    tell(context, std::move(line));
}

void tell_accepted(Context& context, const HandedOver& key, std::uint64_t generation) {
    audit::Line line(rotates(key) ? Event::rotation_accepted : Event::enrol_accepted);
    add_login(line, key);
    if (generation != 0)
        line.number("generation", generation);
    tell(context, std::move(line));
}

void tell_pending(Context& context, const HandedOver& key, const std::string& id) {
    audit::Line line(rotates(key) ? Event::rotation_pending : Event::enrol_pending);
    add_login(line, key);
    line.text("pending", id);
    tell(context, std::move(line));
}

void tell_refused(Context& context, const HandedOver& key, std::string_view reason) {
    audit::Line line(rotates(key) ? Event::rotation_refused : Event::enrol_refused);
    add_login(line, key);
    line.text("reason", reason);
    tell(context, std::move(line));
}

void tell_decided(Context& context, const PendingKey& pending, const StoredKey* key,
                  std::uint64_t generation) {
    if (context.dry_run)
        return;
    const bool rotation = !pending.in_place_of.empty();
    audit::Line line(key == nullptr ? rotation ? Event::rotation_refused : Event::enrol_refused
                     : rotation     ? Event::rotation_accepted
                                    : Event::enrol_accepted);
    line.text("operator", context.operator_name)
        .text_if("peer", pending.peer)
        .text("fingerprint", pending.fingerprint)
        .text("pending", pending.id)
        .text_if("old_fingerprint", pending.in_place_of);
    if (key == nullptr)
        line.text("reason", "an administrator rejected it");
    else
        line.text("key", key->id).text("agents", join(key->agents, '/')).number("generation", generation);
    tell(context, std::move(line));
}

} // namespace gate::ctl
