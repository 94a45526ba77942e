#include "forcecmd/publisher/trail.h"

#include "lib/base/clock.h"

#include <cstring>

namespace gate::drop {

using audit::Event;
using audit::Line;
using spool::Reason;

Trail::Trail(const Login& login)
    : DropTrail({.session = login.session_id,
                 .key = login.key.id,
                 .fingerprint = keyring::format_fingerprint(login.key.fingerprint),
                 .peer = login.peer}),
      started_ms_(monotonic_ms()) {}

void Trail::refused(const DropFacts& drop, Reason why, const Error* cause) {
    if (++refused_ > k_max_refusal_events)
        return;
    tell_reason(Event::drop_refused, drop, why, cause);
}

void Trail::aborted(const DropFacts& drop, Reason why) {
    if (++aborted_ > k_max_refusal_events)
        return;
    Line out = drop_line(Event::drop_aborted, drop);
    spool::add_reason(out, why);
    send(std::move(out));
}

void Trail::request_refused(std::string_view request, Reason why) {
    if (++refused_ > k_max_refusal_events)
        return;
    const auto repeated = may_tell(Event::request_refused, request, why);
    if (!repeated)
        return;
    Line out = line(Event::request_refused);
    out.text_if("request", request);
    spool::add_reason(out, why);
    if (*repeated > 0)
        out.number("repeated", *repeated);
    send(std::move(out));
}

void Trail::sandbox_unusable(const Error& cause) {
    Line out = line(Event::session_refused);
    out.text("reason", "sandbox.unusable")
        .text("why", cause.what)
        .text("remedy", "see whether something on this machine takes seccomp or Landlock away from a login");
    if (cause.sys_errno != 0)
        out.text("errno", ::strerrordesc_np(cause.sys_errno));
    send(std::move(out));
}

void Trail::summary(int status, bool interrupted) {
    Line out = line(Event::session_summary);
    out.number("accepted", counts().accepted)
        .number("bytes", counts().bytes)
        .number("resent", counts().resent)
        .number("quarantined", counts().quarantined)
        .number("malformed", counts().malformed)
        .number("ignored", counts().ignored)
        .number("refused", refused_)
        .number("aborted", aborted_)
        .number("ms", static_cast<std::uint64_t>(monotonic_ms() - started_ms_))
        .number("status", static_cast<std::uint64_t>(status));
    if (counts().untold > 0)
        out.number("untold", counts().untold);
    if (leftovers_ > 0)
        out.number("leftovers_removed", leftovers_);
    if (interrupted)
        out.text("ended_by", "signal");
    send(std::move(out));
}

void report_refused_login(const Refusal& refusal, const LoginContext& context) {
    Line out(Event::session_refused);
    out.text("session", context.session_id)
        .text_if("key", refusal.key_id)
        .text_if("fingerprint", refusal.fingerprint)
        .text_if("peer", context.peer)
        .text("reason", refusal.code)
        .text("why", refusal.what)
        .text("remedy", refusal.remedy);
    audit::Transport().send(std::move(out));
}

} // namespace gate::drop
