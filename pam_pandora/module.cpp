// pam_pandora.so: who may log in to a data-receiving account, and the record of who did. The entry points of
// pam(3). Trusts libpam and the PAM line; the user name, the peer's address and SSH_AUTH_INFO_0 are
// strangers'.
//
// Runs inside sshd and vsftpd, so it keeps no state but what libpam holds for it, opens nothing that outlives
// a call, and changes nothing of the process.
//
// There is no pam_sm_chauthtok: the module has nothing to do with passwords. On a `password` line libpam
// finds no such function and fails the change (PAM_MODULE_UNKNOWN), which is right.
#include "pam_pandora/enrolment.h"
#include "pam_pandora/guard.h"
#include "pam_pandora/report.h"
#include "pam_pandora/rules.h"
#include "pam_pandora/session.h"

#include <cstddef>
#include <string>

namespace gate::pam {

namespace {

// How each phase says what the rules said; the codes are those pam_sm_*(3) list for the phase.
struct Phase {
    const char* name;
    Type type;
    int denied;
    int unknown;
};
constexpr Phase k_auth{"auth", Type::auth, PAM_AUTH_ERR, PAM_USER_UNKNOWN};
constexpr Phase k_account{"account", Type::account, PAM_PERM_DENIED, PAM_USER_UNKNOWN};
constexpr Phase k_setcred{"setcred", Type::auth, PAM_CRED_ERR, PAM_USER_UNKNOWN};
constexpr Phase k_open{"session", Type::session, PAM_SESSION_ERR, PAM_SESSION_ERR};

int to_code(const Phase& phase, Outcome outcome) {
    switch (outcome) {
    case Outcome::allowed:
        return PAM_SUCCESS;
    case Outcome::outside:
        return PAM_IGNORE;
    case Outcome::denied:
        return phase.denied;
    case Outcome::unknown:
        return phase.unknown;
    case Outcome::error:
        break;
    }
    return PAM_SERVICE_ERR;
}

std::span<const char* const> words(int argc, const char** argv) {
    return argc > 0 && argv != nullptr ? std::span{argv, static_cast<std::size_t>(argc)}
                                       : std::span<const char*>{};
}

// Parses the line and hands it to body(options), or reports the bad word.
template<class Body>
int with_options(pam_handle_t* pamh, const Phase& phase, int argc, const char** argv, Body&& body) {
    const auto options = parse_options(phase.type, words(argc, argv));
    if (options)
        return body(*options);
    report_bad_option(pamh, phase.name, options.error());
    return PAM_SERVICE_ERR;
}

// Applies the rules to the user of the transaction. then(user) runs for a user whom they let pass.
template<class Then>
int apply_rules(pam_handle_t* pamh, const Phase& phase, const Options& options, Then&& then) {
    const char* name = nullptr;
    if (pam_get_user(pamh, &name, nullptr) != PAM_SUCCESS || name == nullptr) {
        report_refusal(pamh, phase.name, options, {},
                       {Outcome::error, "name", "the service gave no user name", "see the service's log"});
        return PAM_SERVICE_ERR;
    }
    const std::string user = name; // libpam's own copy may change under us
    const Verdict verdict = decide(options, {user, item(pamh, PAM_SERVICE), item(pamh, PAM_RHOST)});
    if (verdict.outcome == Outcome::allowed) {
        report_debug(pamh, options, user, "the rules are met");
        return then(user);
    }
    if (verdict.outcome == Outcome::outside)
        report_debug(pamh, options, user, "not a managed account, ignored");
    else
        report_refusal(pamh, phase.name, options, user, verdict);
    return to_code(phase, verdict.outcome);
}

int rules_only(pam_handle_t* pamh, const Phase& phase, int argc, const char** argv) {
    return with_options(pamh, phase, argc, argv, [&](const Options& options) {
        return apply_rules(pamh, phase, options, [](const std::string&) { return PAM_SUCCESS; });
    });
}

} // namespace

} // namespace gate::pam

#define PAM_ENTRY extern "C" __attribute__((visibility("default"))) int

using gate::pam::guarded;

PAM_ENTRY pam_sm_authenticate(pam_handle_t* pamh, int, int argc, const char** argv) noexcept {
    return guarded(pamh, [&] {
        return gate::pam::with_options(
            pamh, gate::pam::k_auth, argc, argv, [&](const gate::pam::Options& options) {
                return gate::pam::apply_rules(pamh, gate::pam::k_auth, options, [&](const std::string& user) {
                    return options.enrol ? gate::pam::authenticate_by_code(pamh, options, user) : PAM_SUCCESS;
                });
            });
    });
}

// This module gives no credentials, so it has no say: PAM_IGNORE. libpam repeats the way the auth stack took
// ("frozen chain"): where authentication failed on this line, PAM_IGNORE becomes PAM_PERM_DENIED; where it
// passed, or never ran (a public-key login of sshd), the other modules decide. PAM_SUCCESS would let a stack
// in which nobody else establishes anything count as having established credentials.
PAM_ENTRY pam_sm_setcred(pam_handle_t* pamh, int, int argc, const char** argv) noexcept {
    return guarded(pamh, [&] {
        return gate::pam::with_options(pamh, gate::pam::k_setcred, argc, argv,
                                       [](const gate::pam::Options&) { return PAM_IGNORE; });
    });
}

PAM_ENTRY pam_sm_acct_mgmt(pam_handle_t* pamh, int, int argc, const char** argv) noexcept {
    return guarded(pamh, [&] { return gate::pam::rules_only(pamh, gate::pam::k_account, argc, argv); });
}

// The rules hold here too: a service may come without its account phase, or an administrator may have put a
// `sufficient` module in front of that line.
PAM_ENTRY pam_sm_open_session(pam_handle_t* pamh, int, int argc, const char** argv) noexcept {
    return guarded(pamh, [&] {
        return gate::pam::with_options(
            pamh, gate::pam::k_open, argc, argv, [&](const gate::pam::Options& options) {
                return gate::pam::apply_rules(pamh, gate::pam::k_open, options, [&](const std::string& user) {
                    return gate::pam::open_session(pamh, options, user);
                });
            });
    });
}

// No rules: what was opened must be closable, even when its user was removed meanwhile.
PAM_ENTRY pam_sm_close_session(pam_handle_t* pamh, int, int argc, const char** argv) noexcept {
    return guarded(pamh, [&] {
        return gate::pam::with_options(
            pamh, gate::pam::k_open, argc, argv,
            [&](const gate::pam::Options& options) { return gate::pam::close_session(pamh, options); });
    });
}
