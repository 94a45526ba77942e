#include "pam_pandora/report.h"

#include "lib/audit/session_id.h"
#include "lib/audit/transport.h"
#include "lib/base/text.h"

#include <security/pam_ext.h>
#include <syslog.h>
#include <unistd.h>

namespace gate::pam {

namespace {
void audit_refusal(pam_handle_t* pamh, const char* phase, std::string_view user, const Verdict& verdict) {
    audit::Line line{audit::Event::login_refused};
    add_login(line, pamh, user);
    line.text("phase", phase)
        .text("rule", verdict.rule)
        .text("reason", verdict.reason)
        .text_if("remedy", verdict.remedy)
        .text_if("key", verdict.key)
        .text_if("fingerprint", verdict.fingerprint);
    send(std::move(line));
}
} // namespace

std::string_view item(pam_handle_t* pamh, int type) {
    const void* value = nullptr;
    if (pam_get_item(pamh, type, &value) != PAM_SUCCESS || value == nullptr)
        return {};
    return static_cast<const char*>(value);
}

void add_login(audit::Line& line, pam_handle_t* pamh, std::string_view user) {
    line.text("session", audit::session_id(::getpid()))
        .text("user", user)
        .text("service", item(pamh, PAM_SERVICE))
        .text_if("rhost", item(pamh, PAM_RHOST))
        .text_if("tty", item(pamh, PAM_TTY));
}

// The transport lives for one event only: a descriptor kept open would be inherited by everything sshd forks.
void send(audit::Line&& line) {
    audit::Transport{}.send(std::move(line));
}

void report_refusal(pam_handle_t* pamh, const char* phase, const Options& options, std::string_view user,
                    const Verdict& verdict) {
    audit_refusal(pamh, phase, user, verdict);
    if (!options.quiet || verdict.outcome == Outcome::error)
        pam_syslog(pamh, verdict.outcome == Outcome::error ? LOG_ERR : LOG_NOTICE,
                   "user %s refused: %s; to change that: %s", escape_visible(user).c_str(),
                   escape_visible(verdict.reason, 1024).c_str(), verdict.remedy);
}

void report_bad_option(pam_handle_t* pamh, const char* phase, const BadOption& bad) {
    const std::string word = escape_visible(bad.word);
    // The name is only shown if somebody set it already: asking for one would be talking to the client.
    audit_refusal(pamh, phase, item(pamh, PAM_USER),
                  {Outcome::error, "options", std::string(bad.why) + ": " + word,
                   "correct the line of pam_pandora.so in /etc/pam.d"});
    pam_syslog(pamh, LOG_ERR, "everybody refused: bad option line: %s: %s", bad.why, word.c_str());
}

void report_debug(pam_handle_t* pamh, const Options& options, std::string_view user, const char* what) {
    if (options.debug)
        pam_syslog(pamh, LOG_DEBUG, "user %s: %s", escape_visible(user).c_str(), what);
}

} // namespace gate::pam
