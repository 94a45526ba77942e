// authkeys: sshd's AuthorizedKeysCommand. One fingerprint in, at most one line out; nothing is written before
// every check has passed. Runs unprivileged, trusts nothing but the keyring (lib/keyring/reader.h), links
// neither OpenSSL nor a database. See pandora-gate-authkeys(8).
#include "authkeys_cmd/answer.h"
#include "authkeys_cmd/process.h"
#include "authkeys_cmd/report.h"

#include <ctime>
#include <exception>
#include <unistd.h>

namespace {

using namespace gate::authkeys;

[[nodiscard]] Answer decide(int argc, char** argv, Request& request) {
    const auto parsed = parse_request(argc, argv);
    if (!parsed)
        return refuse(Status::usage, parsed.error());
    request = *parsed;
    if (const auto allowed = check_unprivileged(); !allowed)
        return refuse(Status::privileged, allowed.error());
    Answer out = answer(request, std::time(nullptr));
    if (!out.line.empty()) {
        if (const auto written = write_line(STDOUT_FILENO, out.line); !written)
            return refuse(Status::output, written.error());
    }
    return out;
}

} // namespace

int main(int argc, char** argv) {
    // Without memory for the exception itself, nothing can be caught.
    std::set_terminate([] { ::_exit(static_cast<int>(Status::internal)); });
    try {
        start_deadline();
        Request request;
        const Answer out = decide(argc, argv, request);
        report(out, request);
        return static_cast<int>(out.status);
    } catch (...) { // out of memory; nothing else throws
        return static_cast<int>(Status::internal);
    }
}
