#include "pam_pandora/enrolment.h"

#include "lib/base/clock.h"
#include "lib/enrol/codes.h"
#include "lib/enrol/guesses.h"
#include "pam_pandora/explain.h"
#include "pam_pandora/peer.h"
#include "pam_pandora/report.h"
#include "pam_pandora/rules.h"

#include <ctime>
#include <memory>
#include <security/pam_ext.h>

namespace gate::pam {

namespace {

using enrol::Allowance;
using enrol::Guesses;

constexpr const char* k_data_name = "pandora-gate.enrolment";
// Whoever holds the table does so for about a millisecond; a client's patience is 2 minutes (LoginGraceTime).
constexpr int k_patience_ms = 3000;
constexpr uid_t k_root = 0;

// What the auth line found.
struct Found {
    std::string user;
    enrol::Ticket::Kind kind = enrol::Ticket::Kind::code;
    std::string code; // its id
};

extern "C" {
// Called by libpam when the handle ends, or the data is replaced: it takes the ownership back.
static void drop_found(pam_handle_t*, void* data, int) {
    const std::unique_ptr<Found> owned{static_cast<Found*>(data)};
}
}

// Nothing is left of an earlier try on this handle. True if that is certain.
[[nodiscard]] bool forget(pam_handle_t* pamh) {
    const void* data = nullptr;
    const int rc = pam_get_data(pamh, k_data_name, &data);
    if (rc == PAM_NO_MODULE_DATA || (rc == PAM_SUCCESS && data == nullptr))
        return true;
    return rc == PAM_SUCCESS && pam_set_data(pamh, k_data_name, nullptr, nullptr) == PAM_SUCCESS;
}

[[nodiscard]] bool keep(pam_handle_t* pamh, Found found) {
    auto kept = std::make_unique<Found>(std::move(found));
    if (pam_set_data(pamh, k_data_name, kept.get(), drop_found) != PAM_SUCCESS)
        return false;
    static_cast<void>(kept.release()); // libpam's now
    return true;
}

// Beside the keyring, as every file that `pandora-gate` writes for logins.
[[nodiscard]] std::string codes_directory(const Options& options) {
    return options.keyring.substr(0, options.keyring.rfind('/') + 1) + enrol::k_codes_directory;
}

[[nodiscard]] Verdict cannot(const char* what, const Error& error, const char* remedy) {
    return {Outcome::error, "enrol", std::string(what) + ": " + explain(error), remedy};
}

[[nodiscard]] Verdict denied(const char* reason, const char* remedy) {
    return {Outcome::denied, "enrol", reason, remedy};
}

// What was typed, judged: allowed = a code (its id is in `code`), outside = the password may be tried.
[[nodiscard]] Verdict judge(pam_handle_t* pamh, const Options& options, std::string_view typed,
                            std::string& code) {
    const std::int64_t now = std::time(nullptr);
    auto codes = enrol::read_codes(codes_directory(options), k_root);
    if (!codes && codes.error().code == Errc::missing)
        codes = enrol::Codes{}; // nobody has enrolled here yet
    if (!codes)
        return cannot("the enrolment codes cannot be read", codes.error(), "pandora-gate enrol status");
    const auto id = enrol::find_code(*codes, typed, now);
    const bool open = enrol::is_open(codes->window, now);

    const auto peer = parse_peer(item(pamh, PAM_RHOST));
    auto guesses = Guesses::open(options.run + "/guesses", k_root, k_patience_ms);
    if (!guesses)
        return cannot("wrong codes cannot be counted", guesses.error(),
                      "systemd-tmpfiles --create pandora-gate.conf");
    const auto allowance = guesses->ask(peer, now);
    if (!allowance)
        return cannot("wrong codes cannot be counted", allowance.error(), "see the system's log");
    if (*allowance == Allowance::nothing)
        return denied("too many wrong codes from this address", "wait ten minutes");
    if (id) {
        code = *id;
        return {Outcome::allowed};
    }
    if (const auto counted = guesses->count(peer, now); !counted)
        return cannot("wrong codes cannot be counted", counted.error(), "see the system's log");
    if (open && *allowance == Allowance::all)
        return {Outcome::outside};
    if (open)
        return denied("too many wrong codes and passwords from everywhere: no password is taken for a while",
                      "wait ten minutes, or pandora-gate enrol code");
    return denied("what was typed is no enrolment code that is good now", "pandora-gate enrol code");
}

} // namespace

int authenticate_by_code(pam_handle_t* pamh, const Options& options, std::string_view user) {
    const auto refused = [&](const Verdict& verdict) {
        report_refusal(pamh, "auth", options, user, verdict);
        return verdict.outcome == Outcome::error ? PAM_SERVICE_ERR : PAM_AUTH_ERR;
    };
    if (!forget(pamh))
        return refused({Outcome::error, "enrol", "libpam does not forget an earlier try", "log in again"});
    const char* typed = nullptr;
    const int rc = pam_get_authtok(pamh, PAM_AUTHTOK, &typed, nullptr);
    if (rc != PAM_SUCCESS || typed == nullptr)
        return refused({Outcome::error, "enrol", "the client gave neither code nor password", "type a code"});
    Found found;
    found.user = user;
    const Verdict verdict = judge(pamh, options, typed, found.code);
    if (verdict.outcome != Outcome::allowed && verdict.outcome != Outcome::outside)
        return refused(verdict);
    const bool by_code = verdict.outcome == Outcome::allowed;
    found.kind = by_code ? enrol::Ticket::Kind::code : enrol::Ticket::Kind::password;
    if (!keep(pamh, std::move(found)))
        return refused({Outcome::error, "enrol", "libpam does not keep what was found", "log in again"});
    report_debug(pamh, options, user,
                 by_code ? "a code was typed" : "no code: the password decides, enrolment is on");
    return by_code ? PAM_SUCCESS : PAM_IGNORE;
}

std::optional<enrol::Ticket> admitted(pam_handle_t* pamh, std::string_view user, const AuthInfo& info) {
    // Nothing but one password: of a second factor, or another way in, the auth line knows nothing.
    if (info.methods != "password" || info.keys != 0)
        return std::nullopt;
    const void* data = nullptr;
    if (pam_get_data(pamh, k_data_name, &data) != PAM_SUCCESS || data == nullptr)
        return std::nullopt;
    const Found& found = *static_cast<const Found*>(data);
    if (found.user != user)
        return std::nullopt;
    return enrol::Ticket{found.kind, found.code, std::string(item(pamh, PAM_RHOST))};
}

void forgive_guess(pam_handle_t* pamh, const Options& options) {
    auto guesses = Guesses::open(options.run + "/guesses", k_root, k_patience_ms);
    if (guesses)
        static_cast<void>(guesses->forgive(parse_peer(item(pamh, PAM_RHOST)), std::time(nullptr)));
}

std::string ticket_directory(const Options& options) {
    return options.run + "/tickets";
}

} // namespace gate::pam
