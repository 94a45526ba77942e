// `enrol on`, `off`, `status`: for a while, the account's password lets a key in, which then waits.
#include "gatectl/enrol/code_file.h"
#include "gatectl/enrol/commands.h"
#include "gatectl/enrol/password.h"
#include "gatectl/enrol/tell.h"
#include "gatectl/keys/commands.h"
#include "gatectl/keys/json.h"
#include "gatectl/keys/when.h"
#include "gatectl/problem.h"
#include "gatectl/publish/change.h"
#include "gatectl/publish/ftp_members.h"
#include "gatectl/publish/publish.h"
#include "gatectl/store/location.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

namespace gate::ctl {

namespace {

constexpr std::int64_t k_longest = std::int64_t{7} * 24 * 60 * 60; // seconds; a forgotten door

constexpr const char* k_dry = "dry run: nothing was changed; without --dry-run it would say\n";

[[nodiscard]] bool is_open(const Enrolment& enrolment, std::int64_t now) {
    return enrol::is_open({enrolment.window_from, enrolment.window_until}, now);
}

[[nodiscard]] Json window_json(const Enrolment& enrolment, std::int64_t now) {
    const bool open = is_open(enrolment, now);
    return {{"on", open},
            {"until", open ? time_json(enrolment.window_until) : Json()},
            {"by", open ? Json(latin1(enrolment.window_by)) : Json()}};
}

// A password that we make is for enrolment. Where the account may send by FTP it would be good for packets
// too, without a key, without approval, and after the window.
void demand_no_ftp(const keyring::Policy& policy) {
    if (policy.ftp_enabled && is_ftp_member(policy, policy.account_user))
        stop(Status::refused,
             "the account {} may send by FTP, and a password made for enrolment would let it: use `enrol "
             "code`, "
             "or give it a password of its own with passwd(1) if that is meant",
             escape_visible(policy.account_user));
}

} // namespace

std::string enrolment_on(Context& context, const std::string& duration) {
    const std::int64_t now = wall_clock_us() / 1'000'000;
    const std::int64_t length = parse_length("--for", duration);
    if (length == 0 || length > k_longest)
        stop(Status::usage, "--for is a time from 1s to 7d, not \"{}\"", escape_visible(duration));
    const keyring::Policy policy = policy_in_force(context);
    const std::string& user = policy.account_user;
    const Passwords& passwords = *context.passwords;
    demand_not_lost(context.store, context.keyring);
    publish_if_none(context);
    Store store(context.store, context.owner, context.store_patience);
    Store::Transaction transaction(store, Store::Transaction::Kind::write);
    const PasswordState state = passwords.look(user);
    if (state == PasswordState::empty)
        stop(Status::refused, "the account {0} has an empty password: run `usermod -p '*' {0}` first",
             escape_visible(user));
    Enrolment enrolment = store.enrolment();
    enrolment.window_from = now;
    enrolment.window_until = now + length;
    enrolment.window_by = context.operator_name;
    std::string password;
    if (state == PasswordState::locked) {
        demand_no_ftp(policy);
        password = strong_password();
        enrolment.password_set = true;
    }
    store.set_enrolment(enrolment);
    if (!context.dry_run) {
        write_code_file(context, store, now);
        transaction.commit(); // before the password: `off` must know that it is ours to lock
        if (!password.empty())
            passwords.set(user, password);
        tell_opened(context, user, enrolment.window_until);
    }
    if (context.json) {
        Json out = window_json(enrolment, now);
        out["dry_run"] = context.dry_run;
        out["password"] = password.empty() || context.dry_run ? Json() : Json(password);
        return dump(out);
    }
    std::string out = context.dry_run ? k_dry : "";
    out += fmt::format("enrolment is on until {}: whoever has the password of {} can hand over a key\n",
                       time_text(enrolment.window_until), escape_visible(user));
    if (!password.empty() && !context.dry_run)
        out += fmt::format("password of {}, shown this once: {}\n", escape_visible(user), password);
    return out;
}

std::string enrolment_off(Context& context) {
    const std::int64_t now = wall_clock_us() / 1'000'000;
    const std::string user = policy_in_force(context).account_user;
    demand_not_lost(context.store, context.keyring);
    Store store(context.store, context.owner, context.store_patience);
    Enrolment enrolment;
    const auto change = [&](auto&& what) {
        Store::Transaction transaction(store, Store::Transaction::Kind::write);
        enrolment = store.enrolment();
        what();
        store.set_enrolment(enrolment);
        if (context.dry_run)
            return;
        write_code_file(context, store, now);
        transaction.commit();
    };
    bool was_on = false;
    bool locks = false;
    change([&] {
        was_on = is_open(enrolment, now);
        locks = enrolment.password_set;
        enrolment.window_until = 0;
    });
    // The door is shut for good by now. That the password is ours to lock is known until it is locked.
    if (!context.dry_run && locks) {
        context.passwords->lock(user);
        change([&] { enrolment.password_set = false; });
    }
    if (!context.dry_run && (was_on || locks))
        tell_closed(context, user);
    if (context.json)
        return dump({{"dry_run", context.dry_run}, {"changed", was_on || locks}, {"locked", locks}});
    if (!was_on && !locks)
        return "enrolment by password is not on, nothing changed\n";
    return fmt::format("{}enrolment by password is off{}\n", context.dry_run ? k_dry : "",
                       locks ? "; the password of " + escape_visible(user) + " is locked again" : "");
}

std::string enrolment_status(Context& context) {
    const std::int64_t now = wall_clock_us() / 1'000'000;
    Enrolment enrolment;
    std::size_t codes = 0;
    std::size_t waiting = 0;
    if (has_store(context)) {
        Store store(context.store, context.owner, context.store_patience);
        const Store::Transaction transaction(store, Store::Transaction::Kind::read);
        enrolment = store.enrolment();
        for (const StoredCode& code : store.codes())
            codes += code.state == StoredCode::State::open && now < code.expires_at ? 1U : 0U;
        waiting = store.pending().size();
    }
    if (context.json) {
        Json out = window_json(enrolment, now);
        out["open_codes"] = codes;
        out["pending"] = waiting;
        return dump(out);
    }
    std::string out = is_open(enrolment, now) ? fmt::format("enrolment by password is on until {}, by {}\n",
                                                            time_text(enrolment.window_until),
                                                            escape_visible(enrolment.window_by))
                                              : "enrolment by password is off\n";
    out += fmt::format("{} {} good now\n", codes, codes == 1 ? "code is" : "codes are");
    out += fmt::format("{} {}\n", waiting, waiting == 1 ? "key waits" : "keys wait");
    return out;
}

} // namespace gate::ctl
