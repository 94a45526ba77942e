// A drop that has been taken over, for tests only: built beside the real one from the same objects, but for
// those that call these (-DGATE_HOSTILE -include this). A client asks for a probe as `hostile PROCESS PROBE
// [ARGUMENT]`, and is told in one line what became of it; tests/e2e/test_sandbox.py looks at what it did.
#pragma once

#include "forcecmd/channel.h"
#include "forcecmd/confine.h"
#include "forcecmd/login.h"

#include <string>
#include <string_view>

namespace gate::drop::hostile {

// What a probe may use: its own process's descriptors, and who the other process is.
struct Target {
    PublisherParts parts; // of the front: only the channel
    pid_t other = -1;
    std::string argument;
};

// Tries it with bare system calls. 0 = it succeeded, else errno (ENOSYS also of a probe that there is not).
[[nodiscard]] int try_probe(std::string_view name, const Target& target);
// Sends the publisher what no front of ours sends. What to tell the client.
[[nodiscard]] std::string forge(Channel& channel, std::string_view name, const std::string& argument);

[[nodiscard]] bool is_request(const Login& login);
// In the front, instead of a protocol. Returns the exit status.
[[nodiscard]] int serve(Channel& channel, const Login& login);
// The process that hands a key over, of a login with a key: the probe `hostile enrol PROBE [ARGUMENT]`. Its
// two sockets are parts.channel and parts.log.
[[nodiscard]] bool is_enrolment(const Login& login);
[[nodiscard]] int serve_enrolment(const Login& login, int service, int log);
// In the publisher: true if the message asked for a probe; it was tried and answered.
[[nodiscard]] bool take(const Request& request, Channel& channel, const PublisherParts& parts);

} // namespace gate::drop::hostile
