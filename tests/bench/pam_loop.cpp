// pam_loop RUNS USER SERVICE...
//
// Asks libpam whether USER may log in to each SERVICE, as the account phase does it (pam_start,
// pam_acct_mgmt, pam_end): RUNS times, taking turns, and prints a line a service with the median and the 99th
// percentile in microseconds. An answer other than PAM_SUCCESS ends everything. libcrypto is loaded, as it is
// in sshd.
#include "lib/base/text.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <openssl/crypto.h>
#include <security/pam_appl.h>
#include <vector>

namespace {

struct Service {
    const char* name = "";
    std::vector<double> microseconds;
};

[[nodiscard]] double now_us() {
    timespec ts{};
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return static_cast<double>(ts.tv_sec) * 1e6 + static_cast<double>(ts.tv_nsec) / 1e3;
}

int no_conversation(int /*count*/, const pam_message** /*messages*/, pam_response** /*responses*/,
                    void* /*data*/) {
    return PAM_CONV_ERR;
}

[[nodiscard]] bool ask(Service& service, const char* user) {
    const pam_conv conversation{no_conversation, nullptr};
    const double start = now_us();
    pam_handle_t* handle = nullptr;
    int verdict = pam_start(service.name, user, &conversation, &handle);
    if (verdict == PAM_SUCCESS)
        verdict = pam_acct_mgmt(handle, PAM_SILENT);
    pam_end(handle, verdict);
    service.microseconds.push_back(now_us() - start);
    if (verdict != PAM_SUCCESS)
        std::fprintf(stderr, "pam_loop: %s says %d\n", service.name, verdict);
    return verdict == PAM_SUCCESS;
}

[[nodiscard]] double percentile(std::vector<double> values, std::size_t percent) {
    const auto at = values.begin() +
                    static_cast<std::ptrdiff_t>(std::min(values.size() - 1, values.size() * percent / 100));
    std::nth_element(values.begin(), at, values.end());
    return *at;
}

} // namespace

int main(int argc, char** argv) {
    const std::uint64_t runs = argc > 3 ? gate::parse_u64(argv[1]).value_or(0) : 0;
    if (runs == 0 || OpenSSL_version_num() == 0) {
        std::fputs("usage: pam_loop RUNS USER SERVICE...\n", stderr);
        return 64;
    }
    std::vector<Service> services;
    for (int i = 3; i < argc; ++i)
        services.push_back({argv[i], {}});
    for (std::uint64_t i = 0; i < runs; ++i) {
        // Who begins changes: what one leaves in the caches must not be the other's.
        std::rotate(services.begin(), services.begin() + 1, services.end());
        for (Service& service : services) {
            if (!ask(service, argv[2]))
                return 1;
        }
    }
    for (int i = 3; i < argc; ++i) {
        const auto it = std::ranges::find_if(services, [&](const Service& s) { return s.name == argv[i]; });
        std::printf("%.2f %.2f\n", percentile(it->microseconds, 50), percentile(it->microseconds, 99));
    }
    return 0;
}
