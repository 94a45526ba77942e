#include "pam_pandora/session.h"

#include "lib/audit/session_id.h"
#include "lib/base/clock.h"
#include "pam_pandora/enrolment.h"
#include "pam_pandora/explain.h"
#include "pam_pandora/key_rule.h"
#include "pam_pandora/report.h"

#include <memory>
#include <security/pam_ext.h>
#include <string>
#include <syslog.h>
#include <unistd.h>

namespace gate::pam {

namespace {

constexpr const char* k_data_name = "pandora-gate.session";

struct Opened {
    std::string user;
    std::string key;
    std::string fingerprint;
    std::int64_t since_ms = 0;  // monotonic
    const char* enrolment = ""; // "code", "password": it may hand a key over and nothing else
    std::string code;           // its id
    std::string ticket;         // the session that it was written for; empty: there is none
};

extern "C" {
// Called by libpam when the handle ends, or the data is replaced: it takes the ownership back.
static void drop_opened(pam_handle_t*, void* data, int) {
    const std::unique_ptr<Opened> owned{static_cast<Opened*>(data)};
}
}

int keep(pam_handle_t* pamh, std::unique_ptr<Opened> opened) {
    const int rc = pam_set_data(pamh, k_data_name, opened.get(), drop_opened);
    if (rc == PAM_SUCCESS)
        static_cast<void>(opened.release()); // libpam's now
    return rc;
}

void say_opened(pam_handle_t* pamh, const Opened& opened, const AuthInfo& info, const KnownKey& key) {
    audit::Line line{audit::Event::session_opened};
    add_login(line, pamh, opened.user);
    line.text_if("auth", info.methods)
        .text_if("key", key.id)
        .text_if("fingerprint", opened.fingerprint)
        .text_if("key_state", key.state)
        .text_if("enrolment", opened.enrolment)
        .text_if("code", opened.code);
    if (key.generation != 0)
        line.number("generation", key.generation);
    line.text_if("keyring", key.trouble);
    send(std::move(line));
}

// The ticket of a login that enrols: without one it could do nothing, so it is not let in.
int hand_out(pam_handle_t* pamh, const Options& options, std::string_view user, const enrol::Ticket& ticket,
             Opened& opened) {
    const std::string session = audit::session_id(::getpid());
    if (const auto written = enrol::write_ticket(ticket_directory(options), session, ticket); !written) {
        report_refusal(pamh, "session", options, user,
                       {Outcome::error, "enrol", "the ticket cannot be written: " + explain(written.error()),
                        "systemd-tmpfiles --create pandora-gate.conf"});
        return PAM_SESSION_ERR;
    }
    opened.ticket = session;
    if (ticket.kind == enrol::Ticket::Kind::password)
        forgive_guess(pamh, options);
    return PAM_SUCCESS;
}

// That of a key that may be rotated. Its login is for packets: it goes on without.
void hand_out_to_key(pam_handle_t* pamh, const Options& options, Opened& opened) {
    const std::string session = audit::session_id(::getpid());
    const enrol::Ticket ticket{enrol::Ticket::Kind::key, opened.fingerprint,
                               std::string(item(pamh, PAM_RHOST))};
    const auto written = enrol::write_ticket(ticket_directory(options), session, ticket);
    if (written)
        opened.ticket = session;
    else
        pam_syslog(pamh, LOG_WARNING, "key %s cannot be rotated in this session: %s", opened.key.c_str(),
                   explain(written.error()).c_str());
}

void take_back(pam_handle_t* pamh, const Options& options, const Opened& opened) {
    if (opened.ticket.empty())
        return;
    const auto removed = enrol::remove_ticket(ticket_directory(options), opened.ticket);
    if (!removed)
        pam_syslog(pamh, LOG_WARNING, "a ticket was left behind: %s", explain(removed.error()).c_str());
}

} // namespace

int open_session(pam_handle_t* pamh, const Options& options, std::string_view user) {
    const char* const text = pam_getenv(pamh, "SSH_AUTH_INFO_0");
    const AuthInfo info = parse_auth_info(text != nullptr ? text : "");
    const KnownKey key = look_up_key(options.keyring, info.fingerprint, options.enrol);
    std::optional<enrol::Ticket> ticket;
    if (options.enrol)
        ticket = admitted(pamh, user, info);
    if (options.require_key && !ticket) {
        const Verdict verdict = decide_key(info, key);
        if (verdict.outcome != Outcome::allowed) {
            report_refusal(pamh, "session", options, user, verdict);
            return PAM_SESSION_ERR;
        }
    }
    auto opened = std::make_unique<Opened>();
    opened->user = user;
    opened->key = key.id;
    if (info.fingerprint)
        opened->fingerprint = keyring::format_fingerprint(*info.fingerprint);
    opened->since_ms = monotonic_ms();
    if (ticket) {
        opened->enrolment = ticket->kind == enrol::Ticket::Kind::code ? "code" : "password";
        opened->code = ticket->subject;
        if (const int rc = hand_out(pamh, options, user, *ticket, *opened); rc != PAM_SUCCESS)
            return rc;
    } else if (options.enrol && key.good && key.may_rotate) {
        hand_out_to_key(pamh, options, *opened);
    }

    const Opened said = *opened;
    if (const int rc = keep(pamh, std::move(opened)); rc != PAM_SUCCESS) {
        take_back(pamh, options, said);
        return rc;
    }
    say_opened(pamh, said, info, key); // last: what was said to be open is open
    return PAM_SUCCESS;
}

int close_session(pam_handle_t* pamh, const Options& options) {
    const void* data = nullptr;
    const int rc = pam_get_data(pamh, k_data_name, &data);
    if (rc == PAM_NO_MODULE_DATA || data == nullptr)
        return rc == PAM_NO_MODULE_DATA || rc == PAM_SUCCESS ? PAM_IGNORE : PAM_SERVICE_ERR;
    const Opened said = *static_cast<const Opened*>(data);
    take_back(pamh, options, said);
    audit::Line line{audit::Event::session_closed};
    add_login(line, pamh, said.user);
    line.text_if("key", said.key)
        .text_if("fingerprint", said.fingerprint)
        .text_if("enrolment", said.enrolment);
    line.number("duration_ms", static_cast<std::uint64_t>(monotonic_ms() - said.since_ms));
    send(std::move(line));
    return pam_set_data(pamh, k_data_name, nullptr, nullptr); // closed once, said once
}

} // namespace gate::pam
