#include "pam_pandora/session.h"

#include "lib/base/clock.h"
#include "pam_pandora/key_rule.h"
#include "pam_pandora/report.h"

#include <memory>
#include <string>

namespace gate::pam {

namespace {

constexpr const char* k_data_name = "pandora-gate.session";

struct Opened {
    std::string user;
    std::string key;
    std::string fingerprint;
    std::int64_t since_ms = 0; // monotonic
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
        .text_if("key_state", key.state);
    if (key.generation != 0)
        line.number("generation", key.generation);
    line.text_if("keyring", key.trouble);
    send(std::move(line));
}

} // namespace

int open_session(pam_handle_t* pamh, const Options& options, std::string_view user) {
    const char* const text = pam_getenv(pamh, "SSH_AUTH_INFO_0");
    const AuthInfo info = parse_auth_info(text != nullptr ? text : "");
    const KnownKey key = look_up_key(options.keyring, info.fingerprint);
    if (options.require_key) {
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

    const Opened said = *opened;
    if (const int rc = keep(pamh, std::move(opened)); rc != PAM_SUCCESS)
        return rc;
    say_opened(pamh, said, info, key); // last: what was said to be open is open
    return PAM_SUCCESS;
}

int close_session(pam_handle_t* pamh) {
    const void* data = nullptr;
    const int rc = pam_get_data(pamh, k_data_name, &data);
    if (rc == PAM_NO_MODULE_DATA || data == nullptr)
        return rc == PAM_NO_MODULE_DATA || rc == PAM_SUCCESS ? PAM_IGNORE : PAM_SERVICE_ERR;
    const Opened said = *static_cast<const Opened*>(data);
    audit::Line line{audit::Event::session_closed};
    add_login(line, pamh, said.user);
    line.text_if("key", said.key).text_if("fingerprint", said.fingerprint);
    line.number("duration_ms", static_cast<std::uint64_t>(monotonic_ms() - said.since_ms));
    send(std::move(line));
    return pam_set_data(pamh, k_data_name, nullptr, nullptr); // closed once, said once
}

} // namespace gate::pam
