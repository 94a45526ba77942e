#include "lib/sandbox/harden.h"

#include <csignal>
#include <memory>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>

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

} // namespace

Result<void> harden(std::uint64_t max_file_size) {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return fail_errno("cannot set no_new_privs");
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return fail_errno("cannot become undumpable");
    GATE_CHECK(drop_capabilities());
    GATE_CHECK(limit(RLIMIT_CORE, 0));
    GATE_CHECK(limit(RLIMIT_NPROC, 0));
    GATE_CHECK(limit(RLIMIT_FSIZE, max_file_size));
    if (std::signal(SIGPIPE, SIG_IGN) == SIG_ERR || std::signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
        return fail_errno("cannot ignore signals");
    return {};
}

} // namespace gate::sandbox
