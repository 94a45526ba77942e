#include "authkeys_cmd/request.h"

#include "lib/base/text.h"

#include <limits>

namespace gate::authkeys {

Result<Request> parse_request(int argc, const char* const* argv) {
    constexpr uid_t k_no_uid = std::numeric_limits<uid_t>::max(); // (uid_t)-1 is nobody's
    Request request;
    int at = 1;
    for (; at + 1 < argc && std::string_view(argv[at]).starts_with("--"); at += 2) {
        const std::string_view option = argv[at];
        if (option == "--keyring") {
            request.keyring = argv[at + 1];
        } else if (option == "--state") {
            request.state = argv[at + 1];
        } else if (option == "--report") {
            if (argv[at + 1] != std::string_view("no"))
                return fail(Errc::bad_input, "--report takes \"no\"");
            request.report = false;
        } else if (option == "--owner") {
            const auto uid = parse_u64(argv[at + 1]);
            if (!uid || *uid >= k_no_uid)
                return fail(Errc::bad_input, "--owner takes a numeric user id");
            request.owner = static_cast<uid_t>(*uid);
        } else {
            return fail(Errc::bad_input, "unknown option");
        }
    }
    if (argc - at != 2)
        return fail(Errc::bad_input, "exactly a user name and a fingerprint are expected");
    request.user = argv[at];
    request.fingerprint = argv[at + 1];
    if (request.user.empty())
        return fail(Errc::bad_input, "the user name is empty");
    return request;
}

} // namespace gate::authkeys
