#include "gatectl/enrol/command_line.h"

#include "gatectl/enrol/commands.h"

#include <memory>

namespace gate::ctl {

namespace {

struct Requests {
    CodeRequest code{};
    ServeRequest serve{};
    ApproveRequest approve{};
    std::string duration = "2h";
    std::string id{};
};
using Shared = std::shared_ptr<Requests>;

void json_flag(const Registry& r, CLI::App& one) {
    one.add_flag("--json", r.context.json, "For programs");
}

void change_flags(const Registry& r, CLI::App& one) {
    json_flag(r, one);
    one.add_flag("--dry-run", r.context.dry_run, "Say what would be done, and do nothing");
}

// What a command runs, once it was asked for.
void runs(const Registry& r, CLI::App& one, const Shared& q,
          std::string (*work)(Context& context, Requests& requests)) {
    one.callback([&command = r.command, &context = r.context, q, work] {
        command = [&context, q, work] { return work(context, *q); };
    });
}

void code_command(const Registry& r, CLI::App& enrol, const Shared& q) {
    auto* code = enrol.add_subcommand("code", "Make a one-time code, typed as the password of ssh-copy-id");
    code->add_option("--agent", q->code.agents, "Whose key comes with it, or a pattern; may be repeated")
        ->type_name("NAME")
        ->allow_extra_args(false);
    code->add_option("--csv", q->code.csv, "A table of agents, a code for each line; -: standard input")
        ->type_name("FILE");
    code->add_option("--for", q->code.duration, "How long the code is good")
        ->type_name("TIME")
        ->capture_default_str();
    code->add_option("--from", q->code.from, "Where code and key are good from; may be repeated")
        ->type_name("CIDR")
        ->allow_extra_args(false);
    code->add_option("--expires", q->code.expires, "When the key ends; without it, never")->type_name("WHEN");
    code->add_option("--note", q->code.note, "A remark on the key")->type_name("TEXT");
    code->add_flag("--replace", q->code.replace, "Other keys of these agents end after 7 days");
    change_flags(r, *code);
    runs(r, *code, q, [](Context& context, Requests& all) { return make_codes(context, all.code); });
}

void window_commands(const Registry& r, CLI::App& enrol, const Shared& q) {
    auto* on = enrol.add_subcommand("on", "Let keys in by the account's password; they wait for approval");
    on->add_option("--for", q->duration, "For how long")->type_name("TIME")->capture_default_str();
    change_flags(r, *on);
    runs(r, *on, q, [](Context& context, Requests& all) { return enrolment_on(context, all.duration); });
    auto* off = enrol.add_subcommand("off", "End that");
    change_flags(r, *off);
    runs(r, *off, q, [](Context& context, Requests&) { return enrolment_off(context); });
    auto* status = enrol.add_subcommand("status", "Say what lets keys in now, and what waits");
    json_flag(r, *status);
    runs(r, *status, q, [](Context& context, Requests&) { return enrolment_status(context); });
}

void pending_commands(const Registry& r, CLI::App& keys, const Shared& q) {
    auto* pending = keys.add_subcommand("pending", "List keys that wait; exit status 3 if there are any");
    json_flag(r, *pending);
    runs(r, *pending, q, [](Context& context, Requests&) { return list_pending(context); });
    auto* approve = keys.add_subcommand("approve", "Take a key that waits, and publish");
    approve->add_option("ID", q->approve.id, "Which one, if several wait");
    approve->add_option("--agent", q->approve.agents, "Whose key it is, or a pattern; may be repeated")
        ->type_name("NAME")
        ->allow_extra_args(false);
    approve->add_flag("--replace", q->approve.replace, "Other keys of these agents end after 7 days");
    change_flags(r, *approve);
    runs(r, *approve, q, [](Context& context, Requests& all) { return approve_key(context, all.approve); });
    auto* reject = keys.add_subcommand("reject", "Refuse a key that waits");
    reject->add_option("ID", q->id, "Which one")->required();
    change_flags(r, *reject);
    runs(r, *reject, q, [](Context& context, Requests& all) { return reject_key(context, all.id); });
}

} // namespace

void register_enrol(const Registry& r) {
    const auto q = std::make_shared<Requests>();
    auto* enrol = r.app.add_subcommand("enrol", "How keys come in");
    enrol->require_subcommand(1);
    code_command(r, *enrol, q);
    auto* codes = enrol->add_subcommand("codes", "List codes");
    json_flag(r, *codes);
    runs(r, *codes, q, [](Context& context, Requests&) { return list_codes(context); });
    auto* cancel = enrol->add_subcommand("cancel", "End a code");
    cancel->add_option("ID", q->id, "Which one")->required();
    change_flags(r, *cancel);
    runs(r, *cancel, q, [](Context& context, Requests& all) { return cancel_code(context, all.id); });
    window_commands(r, *enrol, q);
    auto* serve = enrol->add_subcommand("serve", "Take keys from logins; run by a service");
    serve->add_flag("--once", q->serve.once, "End after one connection");
    runs(r, *serve, q, [](Context& context, Requests& all) { return serve_enrolment(context, all.serve); });
    pending_commands(r, *r.app.get_subcommand("keys"), q);
}

} // namespace gate::ctl
