#include "authkeys_cmd/process.h"

#include "authkeys_cmd/status.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <unistd.h>

namespace gate::authkeys {

namespace {
extern "C" void on_alarm(int) {
    ::_exit(static_cast<int>(Status::deadline));
}
// NGROUPS_MAX is 65536; an account with so many groups is not the dedicated one this program is for.
constexpr int k_max_groups = 64;
} // namespace

void start_deadline() {
    struct sigaction action {};
    action.sa_handler = &on_alarm;
    ::sigaction(SIGALRM, &action, nullptr);
    sigset_t alarm_only;
    ::sigemptyset(&alarm_only);
    ::sigaddset(&alarm_only, SIGALRM);
    ::sigprocmask(SIG_UNBLOCK, &alarm_only, nullptr); // a blocked mask is inherited over exec
    ::alarm(k_deadline_s);
    std::signal(SIGPIPE, SIG_IGN); // so that a reader who left has a status of his own
}

Result<void> check_ids(std::span<const uid_t> uids, std::span<const gid_t> gids) {
    if (std::find(uids.begin(), uids.end(), uid_t{0}) != uids.end())
        return fail(Errc::denied, "refuses to run as root");
    if (std::find(gids.begin(), gids.end(), gid_t{0}) != gids.end())
        return fail(Errc::denied, "refuses to run in root's group");
    return {};
}

Result<void> check_unprivileged() {
    std::array<uid_t, 3> uids{};
    std::array<gid_t, 3 + k_max_groups> gids{};
    if (::getresuid(&uids[0], &uids[1], &uids[2]) != 0 || ::getresgid(&gids[0], &gids[1], &gids[2]) != 0)
        return fail_errno("cannot learn the own user and group");
    const int groups = ::getgroups(k_max_groups, gids.data() + 3);
    if (groups < 0)
        return fail(Errc::denied, "refuses to run in so many groups", errno);
    return check_ids(uids, std::span(gids).first(3 + static_cast<std::size_t>(groups)));
}

Result<void> write_line(int fd, std::string_view line) {
    const ssize_t n = ::write(fd, line.data(), line.size());
    if (n < 0)
        return fail(Errc::system, "cannot write the line to sshd", errno);
    if (static_cast<std::size_t>(n) != line.size())
        return fail(Errc::system, "cannot write the whole line to sshd");
    return {};
}

} // namespace gate::authkeys
