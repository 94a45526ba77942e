// pam_verdicts PHASE: asks libpam about the "SERVICE USER" lines of its standard input, and prints a line for
// each: the number of PAM's answer. PHASE is `account` (pam_acct_mgmt) or `auth` (pam_authenticate). A prompt
// is answered with an empty line. For a thousand questions one process is enough: modules must bear that.
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <security/pam_appl.h>
#include <string>
#include <string_view>

namespace {

int answer(int count, const pam_message** /*messages*/, pam_response** responses, void* /*data*/) {
    // libpam frees what it is given.
    auto* const out =
        static_cast<pam_response*>(std::calloc(static_cast<std::size_t>(count), sizeof(pam_response)));
    if (out == nullptr)
        return PAM_BUF_ERR;
    for (int i = 0; i < count; ++i)
        out[i].resp = static_cast<char*>(std::calloc(1, 1));
    *responses = out;
    return PAM_SUCCESS;
}

int ask(bool account, const std::string& service, const std::string& user) {
    const pam_conv conversation{answer, nullptr};
    pam_handle_t* handle = nullptr;
    int verdict = pam_start(service.c_str(), user.c_str(), &conversation, &handle);
    if (verdict == PAM_SUCCESS)
        verdict = account ? pam_acct_mgmt(handle, PAM_SILENT) : pam_authenticate(handle, PAM_SILENT);
    pam_end(handle, verdict);
    return verdict;
}

} // namespace

int main(int argc, char** argv) {
    const std::string_view phase = argc == 2 ? argv[1] : "";
    if (phase != "account" && phase != "auth") {
        std::fputs("usage: pam_verdicts account|auth <QUESTIONS\n", stderr);
        return 64;
    }
    for (std::string service, user; std::cin >> service && std::getline(std::cin >> std::ws, user);) {
        std::printf("%d\n", ask(phase == "account", service, user));
        std::fflush(stdout);
    }
    return 0;
}
