#include "ftpsweep/watch.h"

#include "ftpsweep/trail.h"
#include "lib/base/clock.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <exception>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gate::sweep {

namespace {

// What waits for something that nobody will tell of: space, a quota, the end of a pause.
constexpr std::int64_t k_waiting_ms = 15'000;
constexpr std::int64_t k_soon_ms = 1'000;
// Should an event ever be missed.
constexpr std::int64_t k_done_ms = 60'000;

[[nodiscard]] std::int64_t next_look(PassStatus status) {
    switch (status) {
    case PassStatus::more:
        return 0;
    case PassStatus::soon:
        return k_soon_ms;
    case PassStatus::done:
        return k_done_ms;
    case PassStatus::waiting:
    case PassStatus::failed:
        break;
    }
    return k_waiting_ms;
}

[[noreturn]] void be_pass(const Duty& duty, const Place& place, bool tell, pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent)
        ::_exit(static_cast<int>(PassStatus::failed));
    PassStatus status = PassStatus::failed;
    try {
        status = run_pass({.place = place,
                           .owner = duty.owner,
                           .keyring = duty.keyring,
                           .policy = duty.policy,
                           .tell = tell});
    } catch (const std::exception&) {
        // As a crash: what was being done is in the journal.
    }
    ::_exit(static_cast<int>(status));
}

} // namespace

PassStatus start_pass(const Duty& duty, const Place& place, bool tell) {
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid == 0)
        be_pass(duty, place, tell, parent);
    int status = 0;
    while (pid > 0 && ::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (pid > 0 && WIFEXITED(status))
        return static_cast<PassStatus>(WEXITSTATUS(status));
    if (tell)
        report_failure(place.sender, {Errc::system, pid < 0 ? errno : 0,
                                      pid < 0 ? "a pass cannot be started" : "a pass was ended by a signal"});
    return PassStatus::failed;
}

Result<Watch> Watch::start(const std::string& keyring_directory) {
    Fd inotify{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
    // A keyring is renamed into its place.
    if (!inotify.valid() ||
        ::inotify_add_watch(inotify.get(), keyring_directory.c_str(), IN_MOVED_TO | IN_ONLYDIR) < 0)
        return fail_errno("cannot watch the directory of the keyring");
    return Watch(std::move(inotify));
}

void Watch::look_for_changes(const Duty& duty) {
    if (!duty.parent.empty())
        ::inotify_add_watch(inotify_.get(), duty.parent.c_str(), IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
    for (const Place& place : duty.places) {
        // One that is watched already is left as it is.
        const int watch = ::inotify_add_watch(inotify_.get(), place.directory.c_str(),
                                              IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR | IN_DONT_FOLLOW);
        if (watch >= 0)
            watched_[watch] = place.directory;
    }
}

void Watch::serve(const Duty& duty) {
    look_for_changes(duty);
    for (const Place& place : duty.places) {
        State& state = states_[place.directory];
        if (state.due_ms > monotonic_ms())
            continue;
        const PassStatus status = start_pass(duty, place, !state.failed);
        state.failed = status == PassStatus::failed;
        state.due_ms = monotonic_ms() + next_look(status);
    }
    wait(duty);
}

void Watch::wait(const Duty& duty) {
    std::int64_t until = monotonic_ms() + k_done_ms;
    for (const Place& place : duty.places)
        until = std::min(until, states_[place.directory].due_ms);
    pollfd waiting{.fd = inotify_.get(), .events = POLLIN, .revents = 0};
    const std::int64_t left = std::max<std::int64_t>(until - monotonic_ms(), 0);
    if (::poll(&waiting, 1, static_cast<int>(left)) > 0)
        hear();
}

// Whose directory it was is all that is heard: names are strangers'.
void Watch::hear() {
    alignas(inotify_event) std::array<char, 16 * 1024> buffer{};
    for (;;) {
        const ssize_t n = ::read(inotify_.get(), buffer.data(), buffer.size());
        if (n <= 0)
            return;
        for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(n);) {
            inotify_event event{};
            std::memcpy(&event, buffer.data() + at, sizeof event);
            at += sizeof event + event.len;
            if (const auto found = watched_.find(event.wd); found != watched_.end())
                states_[found->second].due_ms = 0;
            else // a new keyring, a new place, or something was missed: what waited may wait no more
                states_.clear();
        }
    }
}

} // namespace gate::sweep
