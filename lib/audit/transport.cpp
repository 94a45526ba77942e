#include "lib/audit/transport.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

namespace gate::audit {

namespace {

constexpr int k_priority = LOG_AUTHPRIV | LOG_NOTICE;
// A full queue of a living logger drains in milliseconds; a dead one must not hold a delivery up.
constexpr int k_patience_ms = 100;
constexpr int k_retry_ms = 5;

[[nodiscard]] sockaddr_un logger() {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::memcpy(to.sun_path, _PATH_LOG, sizeof _PATH_LOG);
    return to;
}

[[nodiscard]] bool send_datagram(int fd, std::string_view datagram, bool connected) {
    const sockaddr_un to = logger();
    const auto* address = connected ? nullptr : reinterpret_cast<const sockaddr*>(&to);
    for (int waited = 0;; waited += k_retry_ms) {
        if (::sendto(fd, datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL, address,
                     connected ? 0 : sizeof to) >= 0)
            return true;
        if ((errno != EAGAIN && errno != EINTR && errno != ENOBUFS) || waited >= k_patience_ms)
            return false;
        ::poll(nullptr, 0, k_retry_ms);
    }
}

} // namespace

Transport::Transport() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    if (::localtime_r(&now, &local) != nullptr)
        utc_offset_ = local.tm_gmtoff;
}

void Transport::connect() {
    const sockaddr_un to = logger();
    connected_ =
        socket_.valid() && ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
    if (!connected_)
        socket_.reset();
}

// RFC 3164, as glibc's syslog(3) writes it to the local socket: "<PRI>Mmm dd hh:mm:ss ident[pid]: text".
std::string Transport::frame(std::string_view json) const {
    constexpr std::array k_months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const CivilTime t = civil_time(wall_clock_us() / 1'000'000 + utc_offset_);
    const auto two = [](std::string& out, unsigned value, char pad) {
        out += value < 10 ? pad : static_cast<char>('0' + value / 10);
        out += static_cast<char>('0' + value % 10);
    };
    std::string out = "<";
    append_u64(out, k_priority);
    out += '>';
    out += k_months[t.month - 1];
    out += ' ';
    two(out, t.day, ' ');
    out += ' ';
    two(out, t.hour, '0');
    out += ':';
    two(out, t.minute, '0');
    out += ':';
    two(out, t.second, '0');
    out += ' ';
    out += k_ident;
    out += '[';
    append_i64(out, ::getpid());
    out += "]: ";
    out += json;
    return out;
}

bool Transport::send(Line&& line) {
    if (lost_ > 0)
        line.number("lost", lost_);
    if (!socket_.valid() || !send_datagram(socket_.get(), frame(line.finish()), connected_)) {
        ++lost_;
        return false;
    }
    lost_ = 0;
    return true;
}

} // namespace gate::audit
