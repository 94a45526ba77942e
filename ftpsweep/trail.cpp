#include "ftpsweep/trail.h"

#include "lib/audit/session_id.h"
#include "lib/keyring/ftp_sender.h"

#include <cstring>
#include <unistd.h>

namespace gate::sweep {

using audit::Event;
using audit::Line;

void Trail::waiting(const DropFacts& upload, spool::Reason why, const Error* cause) {
    tell_reason(Event::upload_waiting, upload, why, cause);
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
    tell_reason(Event::upload_refused, upload, why, cause);
}

void Trail::recovered(const DropFacts& upload) {
    send(drop_line(Event::upload_recovered, upload));
}

void Trail::failed(const Error& cause) {
    Line out = line(Event::sweep_failed);
    spool::add_cause(out, cause);
    send(std::move(out));
}

void report_failure(std::string_view sender, const Error& cause) {
    Line out(Event::sweep_failed);
    out.text("session", audit::session_id(::getpid()));
    if (!sender.empty())
        out.text("key", std::string(keyring::k_ftp_prefix) + std::string(sender));
    spool::add_cause(out, cause);
    audit::Transport().send(std::move(out));
}

} // namespace gate::sweep
