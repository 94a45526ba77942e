#include "forcecmd/publisher/trail.h"

#include "lib/base/clock.h"

#include <cstring>

namespace gate::drop {

using audit::Event;
using audit::Line;
using spool::Reason;

namespace {

void add_reason(Line& line, Reason why) {
    const spool::ReasonText& text = spool::text_of(why);
    line.text("reason", text.code).text("why", text.what).text("remedy", text.remedy);
}

void add_cause(Line& line, const Error& cause) {
    line.text("cause", cause.what);
    if (cause.sys_errno != 0)
        line.text("errno", ::strerrordesc_np(cause.sys_errno));
}

} // namespace

Trail::Trail(const Login& login)
    : login_(login), fingerprint_(keyring::format_fingerprint(login.key.fingerprint)),
      started_ms_(monotonic_ms()) {}

Line Trail::line(Event event) const {
    Line out(event);
    out.text("session", login_.session_id)
        .text("key", login_.key.id)
        .text("fingerprint", fingerprint_)
        .text("peer", login_.peer);
    return out;
}

Line Trail::drop_line(Event event, const DropFacts& drop) const {
    Line out = line(event);
    out.text("file", drop.file).number("bytes", drop.bytes);
    out.number("ms", static_cast<std::uint64_t>(monotonic_ms() - drop.started_ms));
    return out;
}

void Trail::accepted(const DropFacts& drop, std::string_view published_name, std::string_view sha256_hex) {
    ++accepted_;
    bytes_ += drop.bytes;
    Line out = drop_line(Event::drop_accepted, drop);
    if (published_name != drop.file)
        out.text("published_as", published_name);
    out.text("sha256", sha256_hex);
    transport_.send(std::move(out));
}

void Trail::ignored(const DropFacts& drop) {
    ++ignored_;
    transport_.send(drop_line(Event::drop_ignored, drop));
}

void Trail::refused(const DropFacts& drop, Reason why, const Error* cause) {
    if (++refused_ > k_max_refusal_events)
        return;
    Line out = drop_line(Event::drop_refused, drop);
    add_reason(out, why);
    if (cause != nullptr)
        add_cause(out, *cause);
    transport_.send(std::move(out));
}

void Trail::aborted(const DropFacts& drop, Reason why) {
    if (++aborted_ > k_max_refusal_events)
        return;
    Line out = drop_line(Event::drop_aborted, drop);
    add_reason(out, why);
    transport_.send(std::move(out));
}

void Trail::request_refused(std::string_view request, Reason why) {
    if (++refused_ > k_max_refusal_events)
        return;
    Line out = line(Event::request_refused);
    out.text_if("request", request);
    add_reason(out, why);
    transport_.send(std::move(out));
}

void Trail::spool_unusable(const Error& cause) {
    Line out = line(Event::spool_unusable);
    out.text("directory", login_.policy.spool_directory).text("staging", login_.policy.spool_staging);
    add_cause(out, cause);
    transport_.send(std::move(out));
}

void Trail::sandbox_weaker(std::uint64_t landlock) {
    Line out = line(Event::sandbox_weaker);
    out.number("landlock", landlock)
        .text("cause", landlock == 0 ? "the kernel has no Landlock, or it is turned off"
                                     : "this Landlock lets no file move between directories");
    transport_.send(std::move(out));
}

void Trail::sandbox_unusable(const Error& cause) {
    Line out = line(Event::session_refused);
    out.text("reason", "sandbox.unusable")
        .text("why", cause.what)
        .text("remedy", "see whether something on this machine takes seccomp or Landlock away from a login");
    if (cause.sys_errno != 0)
        out.text("errno", ::strerrordesc_np(cause.sys_errno));
    transport_.send(std::move(out));
}

void Trail::breach(std::string_view what, int number) {
    Line out = line(Event::sandbox_breach);
    out.text("process", "front").text("what", what);
    if (number != 0)
        out.text("signal", ::sigabbrev_np(number));
    transport_.send(std::move(out));
}

void Trail::summary(int status, bool interrupted) {
    Line out = line(Event::session_summary);
    out.number("accepted", accepted_)
        .number("bytes", bytes_)
        .number("ignored", ignored_)
        .number("refused", refused_)
        .number("aborted", aborted_)
        .number("ms", static_cast<std::uint64_t>(monotonic_ms() - started_ms_))
        .number("status", static_cast<std::uint64_t>(status));
    if (leftovers_ > 0)
        out.number("leftovers_removed", leftovers_);
    if (interrupted)
        out.text("ended_by", "signal");
    transport_.send(std::move(out));
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
