// In place of forcecmd/confine.cpp: nothing is given up. The control of what the sandbox is said to do.
#include "forcecmd/confine.h"

#include <csignal>
#include <fcntl.h>

namespace gate::drop {

bool can_move_files() {
    return true;
}

Result<void> confine_front(int channel, const keyring::Policy&) {
    // Else the publisher sees the front go when it starts another program, and may be quicker to end that.
    ::fcntl(channel, F_SETFD, 0);
    std::signal(SIGPIPE, SIG_IGN);
    return {};
}

Result<void> confine_enrolment(const sandbox::EnrolCalls&) {
    std::signal(SIGPIPE, SIG_IGN);
    return {};
}

std::vector<sandbox::DirectoryRight> publisher_rights(const PublisherParts&, int) {
    return {};
}

Result<Protection> confine_publisher(const PublisherParts&, const keyring::Policy&) {
    std::signal(SIGPIPE, SIG_IGN);
    return Protection{};
}

} // namespace gate::drop
