// Nothing is thrown across a C interface: an exception that left a module would abort sshd's session process,
// and sshd bans the address a crashed session came from.
#pragma once

#include <exception>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <syslog.h>
#include <utility>

namespace gate::pam {

// What body() returns, or PAM_SERVICE_ERR - a refusal - when it throws whatever it throws.
template<class Body>
[[nodiscard]] int guarded(pam_handle_t* pamh, Body&& body) noexcept {
    try {
        return std::forward<Body>(body)();
    } catch (const std::exception& e) {
        pam_syslog(pamh, LOG_CRIT, "refused: internal error: %s", e.what());
    } catch (...) {
        pam_syslog(pamh, LOG_CRIT, "refused: internal error");
    }
    return PAM_SERVICE_ERR;
}

} // namespace gate::pam
