// On its own, so that tests can put another kernel in its place.
#include "lib/sandbox/landlock.h"

#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace gate::sandbox {

int landlock_abi() {
    const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi < 0 ? 0 : static_cast<int>(abi); // ENOSYS, EOPNOTSUPP; EPERM of a container's own filter
}

} // namespace gate::sandbox
