#include "forcecmd/enrol/service.h"

#include "lib/base/clock.h"

#include <array>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>

namespace gate::drop::enrol {

using gate::enrol::Answer;
using gate::enrol::Reply;
using spool::Reason;

namespace {

// How long a service that is busy may let wait: it publishes a keyring for each key, one after the other.
constexpr timeval k_patience{.tv_sec = 20, .tv_usec = 0};
// And for its answer: publishing takes seconds for a million keys.
constexpr std::int64_t k_answer_ms = 30'000;
// The head of a message, and its text.
constexpr std::size_t k_max_answer = 16 + gate::enrol::k_max_text;

[[nodiscard]] constexpr sockaddr_un address_of(std::string_view path) {
    sockaddr_un out{};
    out.sun_family = AF_UNIX;
    for (std::size_t i = 0; i < path.size(); ++i)
        out.sun_path[i] = path[i];
    return out;
}

} // namespace

constinit const sockaddr_un k_service = address_of(gate::enrol::k_socket);

Result<Fd> make_socket() {
    Fd socket{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    if (!socket.valid() ||
        ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &k_patience, sizeof k_patience) != 0)
        return fail_errno("cannot make a socket");
    return socket;
}

Result<void> Service::connect() const {
    while (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_) != 0)
        if (errno != EINTR) // a tick, while the service is busy
            return fail(Errc::missing, "nobody listens", errno);
    ucred listener{};
    socklen_t size = sizeof listener;
    if (::getsockopt(socket_.get(), SOL_SOCKET, SO_PEERCRED, &listener, &size) != 0)
        return fail_errno("cannot see who listens");
    if (listener.uid != owner_)
        return fail(Errc::wrong_owner, "somebody else listens");
    return {};
}

Reply Service::hand_over(std::string_view line) {
    if (auto reply = ask(line))
        return std::move(*reply);
    refused(Reason::enrol_away, "a public key");
    return {Answer::refused, spool::sentence(Reason::enrol_away)};
}

void Service::refused(Reason why, std::string_view request) {
    trail_.request_refused(request, why);
}

Result<Reply> Service::ask(std::string_view line) {
    GATE_CHECK(connect());
    const std::string question = encode(gate::enrol::Request{wish_, std::string(line)});
    if (::send(socket_.get(), question.data(), question.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return fail_errno("cannot ask the service");
    if (!wait_for_answer())
        return fail(Errc::closed, "the service does not answer");
    std::array<char, k_max_answer> answer{};
    const ssize_t size = ::recv(socket_.get(), answer.data(), answer.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (size <= 0 || static_cast<std::size_t>(size) > answer.size())
        return fail(Errc::closed, "the service does not answer");
    return gate::enrol::decode_reply({answer.data(), static_cast<std::size_t>(size)});
}

bool Service::wait_for_answer() const {
    const std::int64_t end = monotonic_ms() + k_answer_ms;
    for (std::int64_t left = k_answer_ms; left > 0; left = end - monotonic_ms()) {
        pollfd service{socket_.get(), POLLIN, 0};
        if (::poll(&service, 1, static_cast<int>(left)) > 0)
            return true;
    }
    return false;
}

} // namespace gate::drop::enrol
