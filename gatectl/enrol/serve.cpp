// `enrol serve`: takes keys from drop over a socket that only the account can connect to. A child for each
// connection, few at once, each with a deadline; what it is sent is judged by hand_over.h, and who sent it by
// the kernel: the process (SO_PEERCRED), whose ancestor is sshd's session process, after which its ticket is
// named.
#include "gatectl/account.h"
#include "gatectl/enrol/commands.h"
#include "gatectl/enrol/hand_over.h"
#include "gatectl/problem.h"
#include "gatectl/publish/change.h"
#include "lib/audit/session_id.h"
#include "lib/base/fd.h"
#include "lib/base/text.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gate::ctl {

namespace {

constexpr int k_max_children = 8;      // each may hold the store for a moment, and takes some memory
constexpr unsigned k_deadline = 15;    // seconds for all of one connection; a publish takes far less
constexpr int k_patience_ms = 5000;    // for the one packet that a connection brings
constexpr int k_backlog = 64;          // the rest of a burst waits in the kernel
constexpr int k_ancestors = 8;         // drop is two or three below sshd's session process
constexpr unsigned k_clean_every = 64; // connections
constexpr std::size_t k_max_packet = enrol::k_max_line + 64;

[[nodiscard]] sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        stop(Status::usage, "the path of the socket is too long: {}", escape_visible(path));
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

[[nodiscard]] bool somebody_listens(const sockaddr_un& address) {
    const Fd fd{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    return fd.valid() &&
           ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

[[noreturn]] void cannot(const char* what, const std::string& path) {
    const auto failed = fail_errno(what);
    stop(status_of_errno(failed.error().sys_errno), "{}: {}", escape_visible(path), describe(failed.error()));
}

[[nodiscard]] Account account_in_force(const Context& context) {
    const std::string name = policy_in_force(context).account_user;
    auto account = find_account(name);
    if (!account)
        stop(Status::unavailable, "the account {} of gate.toml does not exist", escape_visible(name));
    return std::move(*account);
}

// The account may connect and nobody else: its group, without a mode for others. (umask is 077: until the
// group is set only root can.)
[[nodiscard]] Fd listen_at(const std::string& path, const Account& account) {
    const sockaddr_un address = address_of(path);
    struct stat st {};
    if (::lstat(path.c_str(), &st) == 0) {
        if (!S_ISSOCK(st.st_mode))
            stop(Status::cant_create, "{} is there and no socket", escape_visible(path));
        if (somebody_listens(address))
            stop(Status::refused, "the enrolment service runs already");
        ::unlink(path.c_str());
    }
    Fd fd{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    if (!fd.valid() || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        cannot("cannot make the socket", path);
    if (::chown(path.c_str(), static_cast<uid_t>(-1), account.gid) != 0 || ::chmod(path.c_str(), 0660) != 0)
        cannot("cannot give the socket to the account", path);
    if (::listen(fd.get(), k_backlog) != 0)
        cannot("cannot listen", path);
    return fd;
}

// The ticket of the login that the process belongs to.
[[nodiscard]] std::optional<HandedOver> login_of(const Context& context, pid_t pid) {
    const std::string directory = context.run + "/tickets";
    for (int level = 0; level < k_ancestors && pid > 1; ++level, pid = audit::parent_of(pid)) {
        HandedOver login;
        login.session = audit::session_id(pid);
        auto ticket = enrol::read_ticket(directory, login.session, context.owner);
        if (ticket) {
            login.ticket = std::move(*ticket);
            return login;
        }
        if (ticket.error().code != Errc::missing)
            stop(Status::unavailable, "{}: {}", escape_visible(directory), describe(ticket.error()));
    }
    return std::nullopt;
}

[[nodiscard]] bool comes_in_time(int fd) {
    pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
    return ::poll(&wait, 1, k_patience_ms) == 1 && (wait.revents & POLLIN) != 0;
}

// Whoever asked is still there: its number is no other process's meanwhile.
[[nodiscard]] bool still_there(int fd) {
    pollfd look{.fd = fd, .events = POLLRDHUP, .revents = 0};
    return ::poll(&look, 1, 0) == 0;
}

[[nodiscard]] std::optional<pid_t> sender(int fd, const Context& context) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0 || size != sizeof credentials)
        return std::nullopt;
    if (credentials.uid != account_in_force(context).uid)
        return std::nullopt;
    return credentials.pid;
}

[[nodiscard]] enrol::Reply answer(Context& context, int fd, const std::string& packet) {
    const enrol::Reply refused{enrol::Answer::refused, "refused: this login may not hand over a key"};
    const auto request = enrol::decode_request(packet);
    const auto pid = sender(fd, context);
    auto login = pid ? login_of(context, *pid) : std::nullopt;
    HandedOver asked = login ? std::move(*login) : HandedOver{};
    if (request)
        asked.wish = request->wish;
    if (!pid) {
        tell_refused(context, asked, "who asks is not the account that keys are for");
        return refused;
    }
    if (!login || !still_there(fd)) {
        tell_refused(context, asked, "the login has no ticket: it is none that may hand over a key");
        return refused;
    }
    if (!request) {
        tell_refused(context, asked, request.error().what);
        return {enrol::Answer::refused, "refused: this is no public key"};
    }
    return hand_over(context, std::move(asked), request->line);
}

void serve_one(Context& context, int fd) {
    std::string packet(k_max_packet, '\0');
    if (!comes_in_time(fd))
        return;
    const ssize_t n = ::recv(fd, packet.data(), packet.size(), MSG_TRUNC);
    if (n <= 0)
        return;
    packet.resize(std::min(static_cast<std::size_t>(n), packet.size()));
    if (static_cast<std::size_t>(n) > k_max_packet)
        packet.clear(); // cut: no request
    enrol::Reply reply{enrol::Answer::refused, "refused: the server cannot take keys at the moment"};
    try {
        reply = answer(context, fd, packet);
    } catch (const std::exception& problem) {
        audit::Line line(audit::Event::enrol_refused);
        line.text("reason", problem.what());
        tell(context, std::move(line));
    }
    const std::string out = enrol::encode(reply);
    static_cast<void>(::send(fd, out.data(), out.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

// Never returns. A deadline that is over ends the process: a transaction is rolled back, a publish is one
// rename.
[[noreturn]] void be_child(Context& context, int fd) {
    std::signal(SIGALRM, SIG_DFL);
    ::alarm(k_deadline);
    try {
        audit::Transport transport;
        context.audit = &transport;
        context.progress = {};
        context.prepares = false; // no key needs anything new, and looking for it could outlast the deadline
        serve_one(context, fd);
    } catch (...) {
        ::_exit(1); // the client sees the end of the connection
    }
    ::_exit(0);
}

// Tickets of sessions that are gone: sshd was killed and closed none. Nobody else's process has such a name.
void forget_the_dead(const Context& context) {
    std::error_code ignored;
    for (std::filesystem::directory_iterator at(context.run + "/tickets", ignored), end;
         at != end && !ignored; at.increment(ignored)) {
        const std::string session = at->path().filename().string();
        const std::size_t behind = session.rfind('-');
        if (behind == session.npos || behind == 0)
            continue;
        const std::size_t begin = session.rfind('-', behind - 1) + 1;
        const auto pid = parse_u64(std::string_view(session).substr(begin, behind - begin));
        if (pid && audit::session_id(static_cast<pid_t>(*pid)) != session)
            static_cast<void>(enrol::remove_ticket(context.run + "/tickets", session));
    }
}

} // namespace

std::string serve_enrolment(Context& context, const ServeRequest& request) {
    const std::string path = context.run + "/enrol.sock";
    const Fd socket = listen_at(path, account_in_force(context));
    int children = 0;
    for (unsigned served = 0;; ++served) {
        if (served % k_clean_every == 0)
            forget_the_dead(context);
        while (children > 0 && ::waitpid(-1, nullptr, children < k_max_children ? WNOHANG : 0) > 0)
            --children;
        if (children >= k_max_children)
            continue; // interrupted
        const Fd fd{::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC)};
        if (!fd.valid()) {
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
                ::sleep(1); // what lacks may come back
                continue;
            }
            cannot("cannot accept", path);
        }
        const pid_t child = ::fork();
        if (child == 0)
            be_child(context, fd.get());
        children += child > 0 ? 1 : 0;
        if (request.once)
            break;
    }
    while (children > 0 && (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR))
        --children;
    ::unlink(path.c_str());
    return {};
}

} // namespace gate::ctl
