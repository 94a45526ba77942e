// send_ahead SESSIONS FILES SIZE FIRST AGENT AUTH... -- COMMAND...
//
// A client that costs next to nothing: starts COMMAND (a server of `scp -t`) SESSIONS times, each on a socket
// pair as sshd does it, and sends to each FILES packets of SIZE bytes without waiting for an answer in
// between. Packets are of the agents AGENT-0, AGENT-1, ... (one a session), their serials start with FIRST.
// AUTH are files for SSH_USER_AUTH, one a session, in turn. Fails unless each packet was acknowledged and
// each command ended well.
#include "lib/base/fd.h"
#include "lib/base/text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

using gate::Fd;

struct Plan {
    std::uint64_t sessions = 0;
    std::uint64_t files = 0;
    std::uint64_t size = 0;
    std::uint64_t first = 0;
    std::string agent;
    std::vector<char*> auth;
    std::vector<char*> command; // ends with nullptr
};

struct Session {
    Fd socket;
    std::string input;
    std::size_t sent = 0;
    std::uint64_t acknowledged = 0;
    bool refused = false;
};

[[nodiscard]] double now() {
    timespec ts{};
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return static_cast<double>(ts.tv_sec) + static_cast<double>(ts.tv_nsec) / 1e9;
}

// As tests/harness/packets.py makes them.
[[nodiscard]] std::string make_packet(const std::string& agent, std::uint64_t size) {
    const std::string head = "<?xml version='1.0' encoding='UTF-8'?>\n<agent_data os_name='Linux' "
                             "interval='300' timestamp='2026/11/23 04:33:00' agent_name='" +
                             agent +
                             "'>\n<module><name>pad</name><type>generic_data_string</type><data><![CDATA[";
    const std::string tail = "]]></data></module>\n</agent_data>";
    const std::size_t room = size > head.size() + tail.size() ? size - head.size() - tail.size() : 0;
    return head + std::string(room, 'x') + tail;
}

[[nodiscard]] std::string make_input(const Plan& plan, std::uint64_t session) {
    const std::string agent = plan.agent + '-' + std::to_string(session);
    const std::string packet = make_packet(agent, plan.size);
    std::string out;
    for (std::uint64_t i = 0; i < plan.files; ++i) {
        out += "C0644 " + std::to_string(packet.size()) + ' ' + agent + '.' + std::to_string(plan.first + i) +
               ".data\n" + packet;
        out += '\0';
    }
    return out;
}

[[nodiscard]] bool start(Session& session, const Plan& plan, std::uint64_t number) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return false;
    session.socket = Fd{ends[0]};
    const Fd theirs{ends[1]};
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::dup2(theirs.get(), STDIN_FILENO);
        ::dup2(theirs.get(), STDOUT_FILENO);
        ::setenv("SSH_USER_AUTH", plan.auth[number % plan.auth.size()], 1); // NOLINT(concurrency-mt-unsafe)
        ::execvp(plan.command[0], plan.command.data());
        std::perror(plan.command[0]);
        ::_exit(127);
    }
    return pid > 0 && ::fcntl(session.socket.get(), F_SETFL, O_NONBLOCK) == 0;
}

// False when the server has closed its end.
[[nodiscard]] bool take_answers(Session& session) {
    std::array<char, 4096> block{};
    const ssize_t n = ::read(session.socket.get(), block.data(), block.size());
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    for (const char c : std::string_view(block.data(), static_cast<std::size_t>(n))) {
        if (c == '\0')
            ++session.acknowledged;
        else
            session.refused = true;
    }
    return true;
}

void send_more(Session& session) {
    const std::string_view rest = std::string_view(session.input).substr(session.sent);
    const ssize_t n = ::send(session.socket.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n > 0)
        session.sent += static_cast<std::size_t>(n);
    else if (errno != EAGAIN)
        session.sent = session.input.size(); // it has gone: its answers tell
    if (session.sent == session.input.size())
        ::shutdown(session.socket.get(), SHUT_WR);
}

void serve(std::vector<Session>& sessions) {
    std::vector<pollfd> fds(sessions.size());
    for (std::size_t open = sessions.size(); open > 0;) {
        for (std::size_t i = 0; i < sessions.size(); ++i) {
            const bool more = sessions[i].sent < sessions[i].input.size();
            fds[i] = {sessions[i].socket.get(), static_cast<short>(more ? POLLIN | POLLOUT : POLLIN), 0};
        }
        if (::poll(fds.data(), fds.size(), -1) < 0)
            return;
        for (std::size_t i = 0; i < sessions.size(); ++i) {
            if ((fds[i].revents & POLLOUT) != 0)
                send_more(sessions[i]);
            if ((fds[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !take_answers(sessions[i])) {
                sessions[i].socket.reset();
                --open;
            }
        }
    }
}

[[nodiscard]] bool parse(int argc, char** argv, Plan& plan) {
    std::vector<char*>* into = &plan.auth;
    for (int i = 6; i < argc; ++i) {
        if (into == &plan.auth && std::string_view(argv[i]) == "--")
            into = &plan.command;
        else
            into->push_back(argv[i]);
    }
    if (plan.auth.empty() || plan.command.empty())
        return false;
    plan.command.push_back(nullptr);
    plan.sessions = gate::parse_u64(argv[1]).value_or(0);
    plan.files = gate::parse_u64(argv[2]).value_or(0);
    plan.size = gate::parse_u64(argv[3]).value_or(0);
    plan.first = gate::parse_u64(argv[4]).value_or(0);
    plan.agent = argv[5];
    return plan.sessions > 0 && plan.files > 0;
}

[[nodiscard]] int result(const std::vector<Session>& sessions, const Plan& plan) {
    int failed = 0;
    for (int status = 0; ::wait(&status) > 0;)
        failed += status == 0 ? 0 : 1;
    // One for the start, then one for the record and one for the file.
    const auto is_whole = [&](const Session& s) {
        return !s.refused && s.acknowledged == 1 + 2 * plan.files;
    };
    const auto whole = std::ranges::count_if(sessions, is_whole);
    if (failed == 0 && static_cast<std::size_t>(whole) == sessions.size())
        return 0;
    std::fprintf(stderr, "send_ahead: %d commands failed, %td of %zu sessions had every answer\n", failed,
                 whole, sessions.size());
    return 1;
}

} // namespace

int main(int argc, char** argv) {
    Plan plan;
    if (!parse(argc, argv, plan)) {
        std::fputs("usage: send_ahead SESSIONS FILES SIZE FIRST AGENT AUTH... -- COMMAND...\n", stderr);
        return 64;
    }
    std::vector<Session> sessions(plan.sessions);
    for (std::uint64_t i = 0; i < plan.sessions; ++i)
        sessions[i].input = make_input(plan, i);
    const double begun = now();
    for (std::uint64_t i = 0; i < plan.sessions; ++i) {
        if (!start(sessions[i], plan, i)) {
            std::perror("send_ahead");
            return 71;
        }
    }
    serve(sessions);
    const int status = result(sessions, plan);
    std::printf("%.6f\n", now() - begun);
    return status;
}
