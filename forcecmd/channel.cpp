#include "forcecmd/channel.h"

#include <cstring>
#include <sys/socket.h>

namespace gate::drop {

namespace {

[[nodiscard]] Result<void> send_bytes(int fd, const void* data, std::size_t size, int file) {
    iovec part{.iov_base = const_cast<void*>(data), .iov_len = size};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
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

[[nodiscard]] Result<void> receive_bytes(int fd, void* data, std::size_t size, Fd* file) {
    iovec part{.iov_base = data, .iov_len = size};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 4)> control{};
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t n = 0;
    while ((n = ::recvmsg(fd, &message, MSG_CMSG_CLOEXEC)) < 0) {
        if (errno == ECONNRESET)
            return fail(Errc::closed, "the other process is gone", errno);
        if (errno != EINTR)
            return fail_errno("cannot receive from the other process");
    }
    take_descriptors(message, file);
    if (n == 0)
        return fail(Errc::closed, "the other process is gone");
    if (static_cast<std::size_t>(n) != size || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        return fail(Errc::bad_input, "a message of the wrong size");
    return {};
}

} // namespace

Result<std::pair<Channel, Channel>> Channel::make_pair() {
    std::array<int, 2> ends{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return fail_errno("cannot make a socket pair");
    return std::pair{Channel(Fd{ends[0]}), Channel(Fd{ends[1]})};
}

Result<void> Channel::send(const Request& request, int file) {
    return send_bytes(fd_.get(), &request, sizeof request, file);
}

Result<void> Channel::send(const Reply& reply) {
    return send_bytes(fd_.get(), &reply, sizeof reply, -1);
}

Result<Received> Channel::receive_request() {
    Received out;
    GATE_CHECK(receive_bytes(fd_.get(), &out.request, sizeof out.request, &out.file));
    return out;
}

Result<Reply> Channel::receive_reply() {
    Reply out;
    GATE_CHECK(receive_bytes(fd_.get(), &out, sizeof out, nullptr));
    return out;
}

} // namespace gate::drop
