#include "forcecmd/channel.h"

#include <cstring>
#include <sys/socket.h>

namespace gate::drop {

namespace {

[[nodiscard]] iovec part_of(const void* data, std::size_t size) {
    return {.iov_base = const_cast<void*>(data), .iov_len = size};
}

[[nodiscard]] Result<void> send_parts(int fd, std::span<iovec> parts, int file) {
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    if (file >= 0) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof file);
        std::memcpy(CMSG_DATA(head), &file, sizeof file);
    }
    while (::sendmsg(fd, &message, MSG_NOSIGNAL) < 0) {
        if (errno == EINTR)
            continue;
        if (errno == EPIPE || errno == ECONNRESET)
            return fail(Errc::closed, "the other process is gone", errno);
        return fail_errno("cannot send to the other process");
    }
    return {};
}

// Takes every descriptor that came, so that none leaks; keeps the first.
void take_descriptors(msghdr& message, Fd* file) {
    for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr; head = CMSG_NXTHDR(&message, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        const std::size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int raw = -1;
            std::memcpy(&raw, CMSG_DATA(head) + i * sizeof raw, sizeof raw);
            Fd taken{raw};
            if (file != nullptr && !file->valid())
                *file = std::move(taken);
        }
    }
}

// How many bytes came: at least `least`, at most what the parts hold. Errors: also not_found (nothing is
// waiting).
[[nodiscard]] Result<std::size_t> receive_parts(int fd, std::span<iovec> parts, std::size_t least, int flags,
                                                Fd* file) {
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 4)> control{};
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t n = 0;
    while ((n = ::recvmsg(fd, &message, MSG_CMSG_CLOEXEC | flags)) < 0) {
        // The other side went without having read everything. That is told once, before what it has still
        // sent.
        if (errno == ECONNRESET)
            continue;
        if (errno == EAGAIN)
            return fail(Errc::not_found, "no message is waiting", errno);
        if (errno != EINTR)
            return fail_errno("cannot receive from the other process");
    }
    take_descriptors(message, file);
    if (n == 0)
        return fail(Errc::closed, "the other process is gone");
    if (static_cast<std::size_t>(n) < least || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        return fail(Errc::bad_input, "a message of a wrong size");
    return static_cast<std::size_t>(n);
}

} // namespace

Result<std::pair<Channel, Channel>> Channel::make_pair() {
    std::array<int, 2> ends{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return fail_errno("cannot make a socket pair");
    return std::pair{Channel(Fd{ends[0]}), Channel(Fd{ends[1]})};
}

Result<void> Channel::send(const Request& request, int file, std::string_view content) {
    std::array parts = {part_of(&request, sizeof request), part_of(content.data(), content.size())};
    return send_parts(fd_.get(), parts, file);
}

Result<void> Channel::send(const Reply& reply) {
    std::array parts = {part_of(&reply, sizeof reply)};
    return send_parts(fd_.get(), parts, -1);
}

Result<Received> Channel::receive_request() {
    buffer_.resize(k_max_inline);
    Received out;
    std::array parts = {part_of(&out.request, sizeof out.request), part_of(buffer_.data(), buffer_.size())};
    GATE_TRY(const std::size_t size, receive_parts(fd_.get(), parts, sizeof out.request, 0, &out.file));
    out.content = std::span(buffer_).first(size - sizeof out.request);
    return out;
}

Result<Reply> Channel::receive_reply() {
    Reply out;
    std::array parts = {part_of(&out, sizeof out)};
    GATE_CHECK(receive_parts(fd_.get(), parts, sizeof out, 0, nullptr));
    return out;
}

Result<std::optional<Reply>> Channel::poll_reply() {
    Reply out;
    std::array parts = {part_of(&out, sizeof out)};
    const auto received = receive_parts(fd_.get(), parts, sizeof out, MSG_DONTWAIT, nullptr);
    if (received)
        return out;
    if (received.error().code == Errc::not_found)
        return std::nullopt;
    return std::unexpected(received.error());
}

} // namespace gate::drop
