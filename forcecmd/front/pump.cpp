#include "forcecmd/front/pump.h"

#include "lib/base/clock.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <vector>

namespace gate::drop {

using spool::Reason;

namespace {

// One read takes what a client's window holds; larger ones save nothing.
constexpr std::size_t k_read_size = 64 * 1024;
// A client that asks and does not read the answers is not read from either.
constexpr std::size_t k_max_pending = 256 * 1024;
// How often a waiting read looks at the time; the timeouts are counted in seconds.
constexpr timeval k_tick{.tv_sec = 1, .tv_usec = 0};
// How long the last words to a client that is being sent away may take, milliseconds.
constexpr int k_farewell_ms = 1000;

class Pump {
  public:
    Pump(Machine& machine, Ends ends, Timeouts timeouts)
        : machine_(machine), out_fd_(ends.out), publisher_(ends.publisher),
          idle_ms_(std::int64_t{timeouts.idle} * 1000),
          session_end_(monotonic_ms() + std::int64_t{timeouts.session} * 1000) {}

    int run() {
        int type = 0;
        socklen_t size = sizeof type;
        is_socket_ = ::getsockopt(out_fd_, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
        if (!is_socket_) // a socket may be the one that is read from, too: it is written to with MSG_DONTWAIT
            ::fcntl(out_fd_, F_SETFL, ::fcntl(out_fd_, F_GETFL) | O_NONBLOCK);
        start_ticking();
        last_ = monotonic_ms();
        machine_.start(out_);
        flush();
        while (!machine_.finished() && !gone_)
            step();
        farewell();
        return client_failed_ ? std::max(1, machine_.exit_status()) : machine_.exit_status();
    }

  private:
    void step() {
        const std::int64_t now = monotonic_ms();
        const std::int64_t left = std::min(last_ + idle_ms_, session_end_) - now;
        if (left <= 0) {
            machine_.interrupt(now >= session_end_ ? Reason::session_timeout : Reason::idle_timeout, out_);
            return;
        }
        // A client that has sent ahead is read from while its last file is made durable; one that has not is
        // answered.
        if (machine_.waiting() && !input_is_there()) {
            machine_.settle(out_);
            flush();
            return;
        }
        // Usually there is nothing to say, and the next thing to do is to read: that needs no poll. The tick
        // ends a read that takes long, and the time is looked at again. (When the publisher goes, we go:
        // PR_SET_PDEATHSIG.)
        if (out_.empty() && take_input())
            return;
        const short want_in = out_.size() < k_max_pending ? POLLIN : short{0};
        const short want_out = out_.empty() ? short{0} : POLLOUT;
        std::array<pollfd, 3> fds{{{STDIN_FILENO, want_in, 0}, {out_fd_, want_out, 0}, {publisher_, 0, 0}}};
        // What is not waited for is left out: a hang-up is reported always, and would spin.
        if (want_in == 0)
            fds[0].fd = -1;
        if (want_out == 0)
            fds[1].fd = -1;
        if (::poll(fds.data(), fds.size(), static_cast<int>(left)) <= 0)
            return; // the time is looked at again
        if (fds[2].revents != 0) {
            client_failed_ = gone_ = true;
            machine_.interrupt(Reason::internal, out_);
            return;
        }
        if (fds[1].revents != 0)
            flush();
        if (fds[0].revents != 0)
            static_cast<void>(take_input());
    }

    static bool input_is_there() {
        pollfd client{STDIN_FILENO, POLLIN, 0};
        return ::poll(&client, 1, 0) > 0;
    }

    static void start_ticking() {
        struct sigaction tick {};
        tick.sa_handler = [](int) {};
        ::sigaction(SIGALRM, &tick, nullptr); // no SA_RESTART: it is there to interrupt
        const itimerval every{.it_interval = k_tick, .it_value = k_tick};
        ::setitimer(ITIMER_REAL, &every, nullptr);
    }

    // False if it would have to wait, and the descriptor does not.
    bool take_input() {
        const ssize_t n = ::read(STDIN_FILENO, buffer_.data(), buffer_.size());
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            return errno == EINTR;
        if (n <= 0) {
            machine_.end_of_input(out_);
        } else {
            last_ = monotonic_ms();
            machine_.feed({buffer_.data(), static_cast<std::size_t>(n)}, out_);
        }
        flush();
        return true;
    }

    void flush() {
        while (!out_.empty()) {
            const ssize_t n = is_socket_
                                  ? ::send(out_fd_, out_.data(), out_.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                                  : ::write(out_fd_, out_.data(), out_.size());
            if (n > 0) {
                out_.erase(0, static_cast<std::size_t>(n));
                last_ = monotonic_ms();
            } else if (errno == EAGAIN) {
                return;
            } else if (errno != EINTR) { // the client is gone: nothing more can be said
                out_.clear();
                if (!machine_.finished()) {
                    machine_.end_of_input(out_);
                    out_.clear();
                }
                client_failed_ = gone_ = true;
                return;
            }
        }
    }

    void farewell() {
        const std::int64_t end = monotonic_ms() + k_farewell_ms;
        flush();
        while (!out_.empty() && monotonic_ms() < end) {
            pollfd client{out_fd_, POLLOUT, 0};
            ::poll(&client, 1, k_farewell_ms);
            flush();
        }
    }

    Machine& machine_;
    const int out_fd_;
    const int publisher_;
    const std::int64_t idle_ms_;
    const std::int64_t session_end_;
    std::int64_t last_ = 0;
    bool is_socket_ = false;
    bool gone_ = false;
    bool client_failed_ = false;
    std::string out_;
    std::vector<char> buffer_ = std::vector<char>(k_read_size);
};

} // namespace

int pump(Machine& machine, Ends ends, Timeouts timeouts) {
    return Pump(machine, ends, timeouts).run();
}

} // namespace gate::drop
