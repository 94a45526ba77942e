#include "forcecmd/publisher/publisher.h"

#include "lib/base/clock.h"

#include <csignal>
#include <poll.h>

namespace gate::drop {

namespace {

// The front ends a session that lasts too long and says so to its client; this is for a front that does not.
constexpr std::int64_t k_grace_ms = 5000;

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

Publisher::Publisher(Channel channel, const Login& login, Fs& fs)
    : channel_(std::move(channel)),
      deadline_ms_(monotonic_ms() + std::int64_t{login.policy.drop_session_timeout} * 1000 + k_grace_ms),
      trail_(login), intake_(login.policy, login.key, fs, trail_) {
    static_cast<void>(signal_guard());
}

int Publisher::serve() {
    while (wait_for_request()) {
        Result<Received> received = channel_.receive_request();
        if (!received || !handle(*received))
            break;
    }
    intake_.close();
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
    switch (request.op) {
    case Op::begin:
        return answer(intake_.begin(request));
    case Op::deliver:
        return finish(intake_.deliver(request, received));
    case Op::rename:
        return answer(intake_.rename(request));
    case Op::commit:
        return finish(intake_.commit(request, received));
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
    return false; // no such message: the front is not ours any more
}

bool Publisher::answer(spool::Reason reason) {
    return channel_.send(Reply{.reason = reason}).has_value();
}

// What comes after the answer keeps no client waiting: the hash for the audit, and room for the next file.
bool Publisher::finish(spool::Reason reason) {
    const bool answered = answer(reason);
    intake_.report();
    if (answered)
        grant();
    return answered;
}

// A front that is gone by now has said goodbye, and that still waits to be read.
void Publisher::grant() {
    if (const auto room = intake_.prepare())
        static_cast<void>(channel_
                              .send(Reply{.kind = Reply::Kind::grant,
                                          .any_size = room->any_size ? 1U : 0U,
                                          .granted_size = room->size})
                              .has_value());
}

} // namespace gate::drop
