#include "forcecmd/enrol/service.h"

#include "lib/base/clock.h"

#include <array>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace gate::drop::enrol {

using gate::enrol::Answer;
using gate::enrol::Reply;
using spool::Reason;

namespace {

// A service that lives takes the next one up in a moment.
constexpr timeval k_patience{.tv_sec = 5, .tv_usec = 0};
// It publishes a keyring before it answers, which takes seconds for a million keys.
constexpr std::int64_t k_answer_ms = 40'000;
// The head of a message, and its text.
constexpr std::size_t k_max_answer = 16 + gate::enrol::k_max_text;

} // namespace

Result<Fd> connect_service(const char* path, uid_t owner) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    if (std::strlen(path) >= sizeof to.sun_path)
        return fail(Errc::bad_input, "the path of the socket is too long");
    std::strcpy(to.sun_path, path); // NOLINT: the length was looked at
    Fd socket{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    if (!socket.valid() ||
        ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &k_patience, sizeof k_patience) != 0)
        return fail_errno("cannot make a socket");
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
        return fail(Errc::missing, "nobody listens", errno);
    ucred listener{};
    socklen_t size = sizeof listener;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &listener, &size) != 0)
        return fail_errno("cannot see who listens");
    if (listener.uid != owner)
        return fail(Errc::wrong_owner, "somebody else listens");
    return socket;
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
