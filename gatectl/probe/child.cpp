#include "gatectl/probe/child.h"

#include "gatectl/problem.h"
#include "lib/base/clock.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace gate::ctl {

namespace {

constexpr int k_cannot_run = 127;
// Between two looks whether it has ended: what it started may hold its output open.
constexpr int k_look_ms = 20;

struct Pair {
    Fd ours;
    Fd theirs;
};

// A socket, not a pipe: writing to somebody who has gone is an error then, and no signal.
[[nodiscard]] Pair make_pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        stop(Status::io, "cannot make a socket: {}", describe(fail_errno("").error()));
    Pair out{Fd{ends[0]}, Fd{ends[1]}};
    static_cast<void>(::fcntl(out.ours.get(), F_SETFL, O_NONBLOCK));
    return out;
}

[[nodiscard]] std::vector<char*> pointers(const std::vector<std::string>& words) {
    std::vector<char*> out;
    out.reserve(words.size() + 1);
    for (const std::string& word : words)
        out.push_back(const_cast<char*>(word.c_str()));
    out.push_back(nullptr);
    return out;
}

[[nodiscard]] bool become(const ChildRequest::Identity& who) {
    return ::setgroups(0, nullptr) == 0 && ::setgid(who.gid) == 0 && ::setuid(who.uid) == 0;
}

// Between fork and exec: system calls only.
[[noreturn]] void be_program(const ChildRequest& request, const std::array<int, 3>& streams, char** argv,
                             char** environment) {
    ::setsid(); // so that all of it can be ended, and nothing asks at a terminal
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none{};
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    for (std::size_t i = 0; i < streams.size(); ++i)
        if (::dup2(streams[i], static_cast<int>(i)) < 0)
            ::_exit(k_cannot_run);
    if (::chdir("/") == 0 && (!request.as || become(*request.as)))
        ::execve(argv[0], argv, environment);
    ::_exit(k_cannot_run);
}

} // namespace

Child::Child(const ChildRequest& request) : input_(request.input), holds_input_(request.holds_input) {
    Pair in = make_pair();
    Pair out = make_pair();
    Pair err = make_pair();
    std::vector<char*> argv = pointers(request.argv);
    std::vector<char*> environment = pointers(request.environment);
    pid_ = ::fork();
    if (pid_ < 0)
        stop(Status::io, "cannot start {}: {}", request.argv.front(), describe(fail_errno("fork").error()));
    if (pid_ == 0)
        be_program(request, {in.theirs.get(), out.theirs.get(), err.theirs.get()}, argv.data(),
                   environment.data());
    in_fd_ = std::move(in.ours);
    out_fd_ = std::move(out.ours);
    err_fd_ = std::move(err.ours);
}

Child::~Child() {
    if (pid_ <= 0)
        return;
    ::kill(-pid_, SIGKILL); // what it started is of its session
    if (!ended())
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
}

void Child::pass_input() {
    while (in_fd_.valid() && !input_.empty()) {
        const ssize_t n = ::send(in_fd_.get(), input_.data(), input_.size(), MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0)
            return in_fd_.reset();
        input_.erase(0, static_cast<std::size_t>(n));
    }
    if (in_fd_.valid() && !holds_input_)
        ::shutdown(in_fd_.get(), SHUT_WR);
}

bool Child::take_output(Fd& from, std::string& into) const {
    std::array<char, 16384> block{};
    while (from.valid()) {
        const ssize_t n = ::recv(from.get(), block.data(), block.size(), 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n <= 0) {
            from.reset();
            break;
        }
        const std::size_t room = k_max_output - std::min(k_max_output, into.size());
        into.append(block.data(), std::min(room, static_cast<std::size_t>(n)));
    }
    return false;
}

void Child::look_for_end() {
    int status = 0;
    if (ended() || ::waitpid(pid_, &status, WNOHANG) != pid_)
        return;
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void Child::pass_bytes(int wait_ms) {
    std::array<pollfd, 3> fds{{{in_fd_.get(), static_cast<short>(input_.empty() ? 0 : POLLOUT), 0},
                               {out_fd_.get(), POLLIN, 0},
                               {err_fd_.get(), POLLIN, 0}}};
    if (!in_fd_.valid() || input_.empty())
        fds[0].fd = -1;
    ::poll(fds.data(), fds.size(), wait_ms);
    pass_input();
    static_cast<void>(take_output(out_fd_, out_));
    static_cast<void>(take_output(err_fd_, err_));
}

bool Child::wait(int timeout_ms, const std::function<bool(const Child&)>& until) {
    const std::int64_t end = monotonic_ms() + timeout_ms;
    for (;;) {
        look_for_end();
        pass_bytes(ended() ? 0 : k_look_ms); // what it said before it ended is there by now
        if (ended() || (until && until(*this)))
            return true;
        if (monotonic_ms() >= end)
            return false;
    }
}

Ran run_program(const ChildRequest& request, int timeout_ms) {
    Child child(request);
    Ran ran;
    ran.in_time = child.wait(timeout_ms);
    ran.status = child.status();
    ran.out = child.out();
    ran.err = child.err();
    return ran;
}

} // namespace gate::ctl
