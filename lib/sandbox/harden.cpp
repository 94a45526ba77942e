#include "lib/sandbox/harden.h"

#include <algorithm>
#include <csignal>
#include <limits>
#include <memory>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace gate::sandbox {

namespace {

[[nodiscard]] Result<void> limit(decltype(RLIMIT_CORE) which, std::uint64_t value) {
    const rlimit both{.rlim_cur = value, .rlim_max = value};
    rlimit now{};
    // A lower hard limit that is there already stays.
    if (::getrlimit(which, &now) == 0 && now.rlim_max < value)
        return {};
    if (::setrlimit(which, &both) != 0)
        return fail_errno("cannot set a resource limit");
    return {};
}

[[nodiscard]] Result<void> drop_capabilities() {
    ::cap_reset_ambient(); // a kernel without ambient capabilities has none to drop
    const std::unique_ptr<std::remove_pointer_t<cap_t>, int (*)(void*)> none(::cap_init(), ::cap_free);
    if (!none || ::cap_set_proc(none.get()) != 0)
        return fail_errno("cannot drop capabilities");
    return {};
}

[[nodiscard]] Result<void> close_range(unsigned first, unsigned last) {
    if (::close_range(first, last, 0) == 0)
        return {};
    // A container whose filter is older than the call (Linux 5.9).
    rlimit open{};
    if ((errno != ENOSYS && errno != EPERM) || ::getrlimit(RLIMIT_NOFILE, &open) != 0)
        return fail_errno("cannot close what is not needed");
    constexpr rlim_t k_most = 65536;
    for (unsigned fd = first; fd <= last && fd < std::min(open.rlim_max, k_most); ++fd)
        ::close(static_cast<int>(fd));
    return {};
}

} // namespace

Result<void> harden(const Limits& limits) {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return fail_errno("cannot set no_new_privs");
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return fail_errno("cannot become undumpable");
    GATE_CHECK(drop_capabilities());
    GATE_CHECK(limit(RLIMIT_CORE, 0));
    GATE_CHECK(limit(RLIMIT_NPROC, 0));
    GATE_CHECK(limit(RLIMIT_MEMLOCK, 0));
    GATE_CHECK(limit(RLIMIT_FSIZE, limits.file_size));
    GATE_CHECK(limit(RLIMIT_NOFILE, limits.files));
#ifndef __SANITIZE_ADDRESS__ // its shadow memory is terabytes
    GATE_CHECK(limit(RLIMIT_DATA, limits.data));
    GATE_CHECK(limit(RLIMIT_AS, limits.memory));
#endif
    if (std::signal(SIGPIPE, SIG_IGN) == SIG_ERR || std::signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
        return fail_errno("cannot ignore signals");
    return {};
}

Result<void> close_all_but(std::vector<int> keep) {
    std::ranges::sort(keep);
    unsigned next = 0; // the lowest that was not looked at
    for (const int fd : keep) {
        if (fd < 0)
            continue;
        const auto kept = static_cast<unsigned>(fd);
        if (kept > next)
            GATE_CHECK(close_range(next, kept - 1));
        next = std::max(next, kept + 1);
    }
    return close_range(next, std::numeric_limits<unsigned>::max());
}

} // namespace gate::sandbox
