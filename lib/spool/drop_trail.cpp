#include "lib/spool/drop_trail.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <cstring>
#include <xxhash.h>

namespace gate::spool {

using audit::Event;
using audit::Line;

namespace {

// The name in a packet is any length; what is longer than this is no agent of ours.
constexpr std::size_t k_max_agent = Learned::k_max_agent;

} // namespace

void add_reason(Line& line, Reason why) {
    const ReasonText& text = text_of(why);
    line.text("reason", text.code).text("why", text.what).text("remedy", text.remedy);
}

void add_cause(Line& line, const Error& cause) {
    line.text("cause", cause.what);
    if (cause.sys_errno != 0)
        line.text("errno", ::strerrordesc_np(cause.sys_errno));
}

Line DropTrail::line(Event event) const {
    Line out(event);
    out.text("session", sender_.session)
        .text("key", sender_.key)
        .text("fingerprint", sender_.fingerprint)
        .text_if("peer", sender_.peer);
    return out;
}

Line DropTrail::drop_line(Event event, const DropFacts& drop) const {
    Line out = line(event);
    out.text("file", drop.file).number("bytes", drop.bytes);
    out.number("ms", static_cast<std::uint64_t>(monotonic_ms() - drop.started_ms));
    return out;
}

bool DropTrail::begun(const DropFacts& drop) {
    return send(drop_line(Event::drop_begun, drop));
}

void DropTrail::taken(const DropFacts& drop, const Taken& taken, const Verdict& verdict) {
    const bool is_malformed = verdict.content == Content::malformed;
    if (taken.kind == Taken::Kind::quarantined) {
        ++counts_.quarantined;
        send(quarantine_line(drop, taken, verdict));
    } else if (taken.kind == Taken::Kind::resent) {
        ++counts_.resent;
        send(std::move(drop_line(Event::drop_resent, drop).text("sha256", hex_encode(taken.sha256))));
    } else {
        ++counts_.accepted;
        counts_.bytes += drop.bytes;
        counts_.malformed += is_malformed ? 1 : 0;
        Line out = drop_line(Event::drop_accepted, drop);
        if (taken.name != drop.file)
            out.text("published_as", taken.name);
        if (is_malformed)
            out.text("content", "malformed");
        out.text("sha256", hex_encode(taken.sha256));
        send(std::move(out));
    }
    if (taken.tell_mismatch)
        mismatch(drop, taken, verdict);
    if (taken.proposed)
        send(std::move(
            line(Event::agent_proposed).text("agent", verdict.agent_name.value_or(""), k_max_agent)));
}

Line DropTrail::quarantine_line(const DropFacts& drop, const Taken& taken, const Verdict& verdict) const {
    Line out = drop_line(Event::drop_quarantined, drop);
    out.text("quarantine", taken.name);
    add_reason(out, taken.reason);
    if (verdict.agent_name)
        out.text("packet_agent", *verdict.agent_name, k_max_agent);
    out.text("sha256", hex_encode(taken.sha256));
    return out;
}

void DropTrail::mismatch(const DropFacts& drop, const Taken& taken, const Verdict& verdict) {
    const bool observed = taken.observed != Reason::none;
    Line out = drop_line(Event::agent_mismatch, drop);
    if (verdict.agent_name)
        out.text("packet_agent", *verdict.agent_name, k_max_agent);
    out.text("outcome", observed ? "delivered" : "quarantined");
    add_reason(out, observed ? taken.observed : taken.reason);
    if (*taken.tell_mismatch > 0)
        out.number("repeated", *taken.tell_mismatch);
    send(std::move(out));
}

// Two refusals are the same if they differ in digits only: the next packet of an agent is refused for what
// its last one was refused for.
std::optional<std::uint64_t> DropTrail::may_tell(Event event, std::string_view text, Reason why) {
    if (memory_ == nullptr)
        return 0;
    std::string what(audit::code(event));
    what += ' ';
    what += text_of(why).code;
    what += ' ';
    for (const char c : text) {
        const bool digit = c >= '0' && c <= '9';
        if (!digit)
            what += c;
        else if (what.back() != '#')
            what += '#';
    }
    const auto told = Memory::Hold(*memory_, wall_clock_us()).tell(XXH3_64bits(what.data(), what.size()));
    counts_.untold += told ? 0U : 1U;
    return told;
}

void DropTrail::tell_reason(Event event, const DropFacts& drop, Reason why, const Error* cause) {
    const auto repeated = may_tell(event, drop.file, why);
    if (!repeated)
        return;
    Line out = drop_line(event, drop);
    add_reason(out, why);
    if (cause != nullptr)
        add_cause(out, *cause);
    if (*repeated > 0)
        out.number("repeated", *repeated);
    send(std::move(out));
}

void DropTrail::ignored(const DropFacts& drop) {
    ++counts_.ignored;
    send(drop_line(Event::drop_ignored, drop));
}

void DropTrail::spool_unusable(const keyring::Policy& policy, const Error& cause) {
    Line out = line(Event::spool_unusable);
    out.text("directory", policy.spool_directory).text("staging", policy.spool_staging);
    add_cause(out, cause);
    send(std::move(out));
}

void DropTrail::memory_unusable(std::string_view part, const Error& cause) {
    Line out = line(Event::memory_unusable);
    out.text("part", part);
    add_cause(out, cause);
    send(std::move(out));
}

void DropTrail::sandbox_weaker(std::uint64_t landlock) {
    Line out = line(Event::sandbox_weaker);
    out.number("landlock", landlock)
        .text("cause", landlock == 0 ? "the kernel has no Landlock, or it is turned off"
                                     : "this Landlock lets no file move between directories");
    send(std::move(out));
}

void DropTrail::breach(std::string_view process, std::string_view what, int number) {
    Line out = line(Event::sandbox_breach);
    out.text("process", process).text("what", what);
    if (number != 0)
        out.text("signal", ::sigabbrev_np(number));
    send(std::move(out));
}

} // namespace gate::spool
