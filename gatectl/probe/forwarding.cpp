#include "gatectl/probe/forwarding.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace gate::ctl {

namespace {

constexpr int k_answer_ms = 10'000; // of a server through the tunnel, or its refusal
using Words = SshClient::Words;

[[nodiscard]] bool says(const Child& child, const char* words) {
    return child.err().find(words) != std::string::npos;
}

[[nodiscard]] Fd connect_socket(const std::string& path) {
    Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        fd.reset();
    return fd;
}

[[nodiscard]] sockaddr_in local_address(std::uint16_t port) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    out.sin_port = htons(port);
    return out;
}

// One that nobody has at the moment; 0: none.
[[nodiscard]] std::uint16_t free_port() {
    const Fd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address = local_address(0);
    socklen_t size = sizeof address;
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
        return 0;
    return ntohs(address.sin_port);
}

[[nodiscard]] Fd connect_port(std::uint16_t port) {
    Fd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const sockaddr_in address = local_address(port);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        fd.reset();
    return fd;
}

// What has come by now, appended.
void take(const Fd& fd, std::string& into) {
    char block[512];
    const ssize_t n = ::recv(fd.get(), block, sizeof block, MSG_DONTWAIT);
    if (n > 0)
        into.append(block, static_cast<std::size_t>(n));
}

// With a channel asked for: what comes of it.
[[nodiscard]] Tried watch(Child& child, const Fd& channel) {
    std::string came;
    const bool answered = child.wait(k_answer_ms, [&](const Child& now) {
        take(channel, came);
        return came.find("SSH-") != std::string::npos || says(now, "open failed");
    });
    Tried out;
    if (came.find("SSH-") != std::string::npos)
        out.result = TryResult::succeeded;
    // It was not forbidden: there was nobody at the other end.
    else if (says(child, "connect failed"))
        out.result = TryResult::succeeded;
    else if (!answered)
        out = {.result = TryResult::untried, .note = "no answer"};
    return out;
}

} // namespace

Tried Forwarding::connect_through(const std::string& name, const std::string& to) const {
    const std::string path = scratch_ / name;
    Child child(client_.ssh_request({"-N", "-L", path + ':' + to}, {}));
    child.wait(SshClient::k_patience_ms, [&](const Child&) { return ::access(path.c_str(), F_OK) == 0; });
    const Fd channel = connect_socket(path);
    if (!channel.valid())
        return {.result = TryResult::untried, .note = last_line(child.err())};
    return watch(child, channel);
}

Tried Forwarding::local_port() const {
    return connect_through("local", "127.0.0.1:" + std::to_string(port_));
}

// sshd says the same of a socket that is forbidden and of one that is not there; so these, which every system
// with systemd has.
Tried Forwarding::local_socket() const {
    Tried out;
    for (const char* to : {"/run/dbus/system_bus_socket", "/run/systemd/journal/stdout"}) {
        const std::string path =
            scratch_ / (to == std::string_view("/run/dbus/system_bus_socket") ? "bus" : "journal");
        Child child(client_.ssh_request({"-vv", "-N", "-L", path + ':' + to}, {}));
        child.wait(SshClient::k_patience_ms, [&](const Child&) { return ::access(path.c_str(), F_OK) == 0; });
        const Fd channel = connect_socket(path);
        if (!channel.valid())
            return {.result = TryResult::untried, .note = last_line(child.err())};
        const bool answered = child.wait(k_answer_ms, [](const Child& now) {
            return says(now, "open confirm") || says(now, "open failed");
        });
        if (says(child, "open confirm"))
            return {.result = TryResult::succeeded};
        if (!answered)
            out = {.result = TryResult::untried, .note = "no answer"};
    }
    return out;
}

Tried Forwarding::dynamic() const {
    const std::uint16_t port = free_port();
    Child child(client_.ssh_request({"-N", "-D", "127.0.0.1:" + std::to_string(port)}, {}));
    Fd channel;
    child.wait(SshClient::k_patience_ms, [&](const Child&) {
        channel = connect_port(port);
        return channel.valid();
    });
    if (!channel.valid())
        return {.result = TryResult::untried, .note = last_line(child.err())};
    // SOCKS 5 (RFC 1928): no authentication; CONNECT to 127.0.0.1 and the port.
    const std::string asks = std::string("\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01", 11) +
                             static_cast<char>(port_ >> 8) + static_cast<char>(port_ & 0xff);
    static_cast<void>(::send(channel.get(), asks.data(), asks.size(), MSG_NOSIGNAL));
    return watch(child, channel);
}

Tried Forwarding::ask_for(const Words& options, const char* yes) const {
    Words words = {"-N", "-v", "-o", "ExitOnForwardFailure=yes"};
    words.insert(words.end(), options.begin(), options.end());
    Child child(client_.ssh_request(words, {}));
    const bool answered =
        child.wait(SshClient::k_patience_ms, [&](const Child& now) { return says(now, yes); });
    Tried out;
    if (says(child, yes))
        out.result = TryResult::succeeded;
    else if (!answered)
        out = {.result = TryResult::untried, .note = "no answer"};
    return out;
}

Tried Forwarding::remote_port() const {
    return ask_for({"-R", "127.0.0.1:0:127.0.0.1:9"}, "Allocated port");
}

Tried Forwarding::remote_socket(const std::string& path) const {
    return ask_for({"-R", path + ":127.0.0.1:9"}, "remote forward success");
}

Tried Forwarding::tunnel() const {
    const Fd device{::open("/dev/net/tun", O_RDWR | O_CLOEXEC)};
    if (!device.valid() || ::geteuid() != 0)
        return {.result = TryResult::untried, .note = "only root can have a tunnel's end on this machine"};
    return ask_for({"-w", "any:any"}, "tunnel forward established");
}

} // namespace gate::ctl
