#include "forcecmd/publisher/publisher.h"

#include "lib/base/clock.h"

#include <csignal>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

namespace gate::drop {

namespace {

// The front ends a session that lasts too long and says so to its client; this is for a front that does not.
constexpr std::int64_t k_grace_ms = 5000;
// A front reads each answer at once: one that does not would hold its publisher for ever.
constexpr timeval k_answer_patience{.tv_sec = 5, .tv_usec = 0};

// The version of Landlock that can do all that is asked of it here: before this one nothing moves between
// directories.
constexpr int k_whole_landlock = 2;

volatile std::sig_atomic_t g_signal = 0;

extern "C" void on_signal(int number) {
    g_signal = number;
}

// SIGTERM and friends are blocked but while the publisher waits: none can come between looking and waiting.
class SignalGuard {
  public:
    SignalGuard() {
        struct sigaction action {};
        action.sa_handler = on_signal;
        sigset_t blocked;
        sigemptyset(&blocked);
        for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
            ::sigaction(number, &action, nullptr);
            sigaddset(&blocked, number);
        }
        ::sigprocmask(SIG_BLOCK, &blocked, &outside_);
    }
    [[nodiscard]] const sigset_t& outside() const { return outside_; }

  private:
    sigset_t outside_{};
};

const SignalGuard& signal_guard() {
    static const SignalGuard guard;
    return guard;
}

} // namespace

Publisher::Publisher(Channel channel, const Login& login, Fs& fs, pid_t front)
    : login_(login), fs_(fs), front_(front), channel_(std::move(channel)),
      deadline_ms_(monotonic_ms() + std::int64_t{login.policy.drop_session_timeout} * 1000 + k_grace_ms),
      trail_(login), intake_(login.policy, login.key, fs, trail_) {
    static_cast<void>(signal_guard());
    ::setsockopt(channel_.fd(), SOL_SOCKET, SO_SNDTIMEO, &k_answer_patience, sizeof k_answer_patience);
}

bool Publisher::confine() {
    Result<void> staged = can_move_files() ? Result<void>{} : intake_.stage_in_data_in();
    const Result<Protection> protection =
        staged ? confine_publisher(parts(), login_.policy) : std::unexpected(staged.error());
    if (!protection) {
        end_front();
        trail_.sandbox_unusable(protection.error());
        return false;
    }
    if (protection->landlock < k_whole_landlock)
        trail_.sandbox_weaker(static_cast<std::uint64_t>(protection->landlock));
    return true;
}

PublisherParts Publisher::parts() const {
    PublisherParts out;
    out.channel = channel_.fd();
    out.log = trail_.log();
    out.link_slot = fs_.link_slot();
    out.front = front_;
    intake_.add_parts(out);
    return out;
}

int Publisher::serve() {
    while (wait_for_request()) {
        Result<Received> received = channel_.receive_request();
        if (!received && received.error().code != Errc::closed)
            trail_.breach("front", received.error().what);
        if (!received || !handle(*received))
            break;
    }
    intake_.close();
    end_front();
    const int status = std::max(status_.value_or(1), interrupted_ ? 1 : 0);
    trail_.summary(status, interrupted_);
    return status;
}

bool Publisher::wait_for_request() {
    for (;;) {
        const std::int64_t left = deadline_ms_ - monotonic_ms();
        if (left <= 0)
            return false;
        const timespec timeout{.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1'000'000};
        pollfd front{channel_.fd(), POLLIN, 0};
        const int ready = ::ppoll(&front, 1, &timeout, &signal_guard().outside());
        if (g_signal != 0) {
            interrupted_ = true;
            return false;
        }
        if (ready > 0)
            return true;
        if (ready < 0 && errno != EINTR)
            return false;
    }
}

bool Publisher::handle(const Received& received) {
    const Request& request = received.request;
#ifdef GATE_HOSTILE
    if (hostile::take(request, channel_, parts()))
        return true;
#endif
    switch (request.op) {
    case Op::begin:
        return answer(intake_.begin(request));
    case Op::deliver:
        return finish(intake_.deliver(request, received, [&] { grant_ahead(request); }), request);
    case Op::rename:
        return answer(intake_.rename(request));
    case Op::commit:
        return finish(intake_.commit(request, received, [&] { grant_ahead(request); }), request);
    case Op::abort:
        intake_.abort(request);
        return true;
    case Op::note:
        trail_.request_refused(request.get_text(), request.reason);
        return true;
    case Op::bye:
        status_ = request.size > 255 ? 1 : static_cast<int>(request.size);
        return false;
    }
    trail_.breach("front", "a message that there is not"); // the front is not ours any more
    return false;
}

bool Publisher::answer(spool::Reason reason) {
    const Result<void> sent = channel_.send(Reply{.reason = reason});
    if (!sent && sent.error().sys_errno == EAGAIN)
        trail_.breach("front", "answers are not read");
    return sent.has_value();
}

// It has said goodbye, or nothing of it can be taken any more.
void Publisher::end_front() {
    int status = 0;
    ::kill(front_, SIGKILL);
    if (::waitpid(front_, &status, 0) != front_ || !WIFSIGNALED(status))
        return;
    // By hand, or by this process. Everything else is a bug, or somebody who looks for one.
    const int number = WTERMSIG(status);
    if (number == SIGSYS)
        trail_.breach("front", "a system call outside its filter", number);
    else if (number != SIGKILL && number != SIGTERM && number != SIGINT && number != SIGHUP)
        trail_.breach("front", "a crash", number);
}

// What comes after the answer keeps no client waiting: the audit, and room for the next file. For a client
// that has sent more, that room comes first.
bool Publisher::finish(spool::Reason reason, const Request& request) {
    const bool answered = answer(reason);
    intake_.report();
    if (answered && !request.ahead)
        static_cast<void>(grant());
    return answered;
}

void Publisher::grant_ahead(const Request& request) {
    if (request.ahead && !grant())
        static_cast<void>(channel_.send(Reply{.kind = Reply::Kind::no_grant}).has_value());
}

// A front that is gone by now has said goodbye, and that still waits to be read.
bool Publisher::grant() {
    const auto room = intake_.prepare();
    if (room)
        static_cast<void>(channel_
                              .send(Reply{.kind = Reply::Kind::grant,
                                          .any_size = room->any_size ? 1U : 0U,
                                          .granted_size = room->size})
                              .has_value());
    return room.has_value();
}

} // namespace gate::drop
