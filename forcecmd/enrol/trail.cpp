#include "forcecmd/enrol/trail.h"

#include <cstring>

namespace gate::drop::enrol {

using audit::Event;
using audit::Line;

Line Trail::line(Event event) const {
    Line out(event);
    out.text("session", who_.session)
        .text_if("key", who_.key)
        .text_if("fingerprint", who_.fingerprint)
        .text_if("peer", who_.peer);
    return out;
}

void Trail::request_refused(std::string_view request, spool::Reason why) {
    if (++told_ > k_max_events)
        return;
    const spool::ReasonText& text = spool::text_of(why);
    Line out = line(Event::request_refused);
    out.text_if("request", request)
        .text("reason", text.code)
        .text("why", text.what)
        .text("remedy", text.remedy);
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

} // namespace gate::drop::enrol
