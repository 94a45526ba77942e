#include "forcecmd/publisher/trail.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <cstring>
#include <xxhash.h>

namespace gate::drop {

using audit::Event;
using audit::Line;
using spool::Reason;

namespace {

// The name in a packet is any length; what is longer than this is no agent of ours.
constexpr std::size_t k_max_agent = spool::Learned::k_max_agent;

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

bool Trail::begun(const DropFacts& drop) {
    return transport_.send(drop_line(Event::drop_begun, drop));
}

void Trail::taken(const DropFacts& drop, const spool::Taken& taken, const spool::Verdict& verdict) {
    using Kind = spool::Taken::Kind;
    const bool is_malformed = verdict.content == spool::Content::malformed;
    if (taken.kind == Kind::quarantined) {
        ++quarantined_;
        transport_.send(quarantine_line(drop, taken, verdict));
    } else if (taken.kind == Kind::resent) {
        ++resent_;
        transport_.send(
            std::move(drop_line(Event::drop_resent, drop).text("sha256", hex_encode(taken.sha256))));
    } else {
        ++accepted_;
        bytes_ += drop.bytes;
        malformed_ += is_malformed ? 1 : 0;
        Line out = drop_line(Event::drop_accepted, drop);
        if (taken.name != drop.file)
            out.text("published_as", taken.name);
        if (is_malformed)
            out.text("content", "malformed");
        out.text("sha256", hex_encode(taken.sha256));
        transport_.send(std::move(out));
    }
    if (taken.tell_mismatch)
        mismatch(drop, taken, verdict);
    if (taken.proposed)
        transport_.send(std::move(
            line(Event::agent_proposed).text("agent", verdict.agent_name.value_or(""), k_max_agent)));
}

Line Trail::quarantine_line(const DropFacts& drop, const spool::Taken& taken,
                            const spool::Verdict& verdict) const {
    Line out = drop_line(Event::drop_quarantined, drop);
    out.text("quarantine", taken.name);
    add_reason(out, taken.reason);
    if (verdict.agent_name)
        out.text("packet_agent", *verdict.agent_name, k_max_agent);
    out.text("sha256", hex_encode(taken.sha256));
    return out;
}

void Trail::mismatch(const DropFacts& drop, const spool::Taken& taken, const spool::Verdict& verdict) {
    const bool observed = taken.observed != Reason::none;
    Line out = drop_line(Event::agent_mismatch, drop);
    if (verdict.agent_name)
        out.text("packet_agent", *verdict.agent_name, k_max_agent);
    out.text("outcome", observed ? "delivered" : "quarantined");
    add_reason(out, observed ? taken.observed : taken.reason);
    if (*taken.tell_mismatch > 0)
        out.number("repeated", *taken.tell_mismatch);
    transport_.send(std::move(out));
}

// Two refusals are the same if they differ in digits only: the next packet of an agent is refused for what
// its last one was refused for.
std::optional<std::uint64_t> Trail::may_tell(Event event, std::string_view text, Reason why) {
    if (memory_ == nullptr)
        return 0;
    std::string what(audit::code(event));
    what += ' ';
    what += spool::text_of(why).code;
    what += ' ';
    for (const char c : text) {
        const bool digit = c >= '0' && c <= '9';
        if (!digit)
            what += c;
        else if (what.back() != '#')
            what += '#';
    }
    const auto told =
        spool::Memory::Hold(*memory_, wall_clock_us()).tell(XXH3_64bits(what.data(), what.size()));
    untold_ += told ? 0U : 1U;
    return told;
}

void Trail::ignored(const DropFacts& drop) {
    ++ignored_;
    transport_.send(drop_line(Event::drop_ignored, drop));
}

void Trail::refused(const DropFacts& drop, Reason why, const Error* cause) {
    if (++refused_ > k_max_refusal_events)
        return;
    const auto repeated = may_tell(Event::drop_refused, drop.file, why);
    if (!repeated)
        return;
    Line out = drop_line(Event::drop_refused, drop);
    add_reason(out, why);
    if (cause != nullptr)
        add_cause(out, *cause);
    if (*repeated > 0)
        out.number("repeated", *repeated);
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
    const auto repeated = may_tell(Event::request_refused, request, why);
    if (!repeated)
        return;
    Line out = line(Event::request_refused);
    out.text_if("request", request);
    add_reason(out, why);
    if (*repeated > 0)
        out.number("repeated", *repeated);
    transport_.send(std::move(out));
}

void Trail::spool_unusable(const Error& cause) {
    Line out = line(Event::spool_unusable);
    out.text("directory", login_.policy.spool_directory).text("staging", login_.policy.spool_staging);
    add_cause(out, cause);
    transport_.send(std::move(out));
}

void Trail::memory_unusable(std::string_view part, const Error& cause) {
    Line out = line(Event::memory_unusable);
    out.text("part", part);
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
        .number("resent", resent_)
        .number("quarantined", quarantined_)
        .number("malformed", malformed_)
        .number("ignored", ignored_)
        .number("refused", refused_)
        .number("aborted", aborted_)
        .number("ms", static_cast<std::uint64_t>(monotonic_ms() - started_ms_))
        .number("status", static_cast<std::uint64_t>(status));
    if (untold_ > 0)
        out.number("untold", untold_);
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
