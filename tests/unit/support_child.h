// What may end the process that does it, done in another one: a system call under a filter.
#pragma once

#include "tests/unit/support.h"

#include <cerrno>
#include <csignal>
#include <functional>
#include <sys/wait.h>
#include <unistd.h>

namespace gate::test {

inline constexpr int k_killed = -1;

// What the work gives, in a child; k_killed: the filter ended it.
inline int in_child(const std::function<int()>& work) {
    const pid_t child = ::fork();
    if (child == 0)
        ::_exit(work());
    int status = 0;
    CHECK_EQ(::waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        CHECK_EQ(WTERMSIG(status), SIGSYS);
        return k_killed;
    }
    return WEXITSTATUS(status);
}

[[nodiscard]] inline int error_of(long value) {
    return value < 0 ? errno : 0;
}

} // namespace gate::test
