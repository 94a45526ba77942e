#include "ftpsweep/trail.h"

#include "lib/audit/session_id.h"

#include <cstring>
#include <unistd.h>

namespace gate::sweep {

using audit::Event;
using audit::Line;

void Trail::waiting(const DropFacts& upload, spool::Reason why, const Error* cause) {
    const auto repeated = may_tell(Event::upload_waiting, upload.file, why);
    if (!repeated)
        return;
    Line out = drop_line(Event::upload_waiting, upload);
    spool::add_reason(out, why);
    if (cause != nullptr)
        spool::add_cause(out, *cause);
    if (*repeated > 0)
        out.number("repeated", *repeated);
    send(std::move(out));
}

void Trail::held(const DropFacts& upload, std::uint64_t seconds, bool replaced) {
    Line out = drop_line(Event::upload_held, upload);
    spool::add_reason(out, spool::Reason::ftp_incomplete);
    out.number("seconds", seconds).number("replaced", replaced ? 1 : 0);
    send(std::move(out));
}

void Trail::replaced(const DropFacts& upload) {
    send(drop_line(Event::upload_replaced, upload));
}

void Trail::refused(const DropFacts& upload, spool::Reason why, const Error* cause) {
    const auto repeated = may_tell(Event::upload_refused, upload.file, why);
    if (!repeated)
        return;
    Line out = drop_line(Event::upload_refused, upload);
    spool::add_reason(out, why);
    if (cause != nullptr)
        spool::add_cause(out, *cause);
    if (*repeated > 0)
        out.number("repeated", *repeated);
    send(std::move(out));
}

void Trail::recovered(const DropFacts& upload) {
    send(drop_line(Event::upload_recovered, upload));
}

void report_failure(const Error& cause, std::string_view remedy) {
    Line out(Event::sweep_failed);
    out.text("session", audit::session_id(::getpid()));
    spool::add_cause(out, cause);
    out.text("remedy", remedy);
    audit::Transport().send(std::move(out));
}

} // namespace gate::sweep
