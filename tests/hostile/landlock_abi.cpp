// In front of lib/sandbox's: the Landlock of an older kernel, where a test asks for one.
#include "lib/base/file.h"
#include "lib/sandbox/landlock.h"

#include <cstdlib>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace gate::sandbox {

int landlock_abi() {
    static const int abi = [] {
        const auto file = open_regular("/run/pandora-gate-landlock");
        const auto text = file ? read_all(file->get(), 10) : std::unexpected(file.error());
        if (text)
            return std::atoi(text->c_str());
        return static_cast<int>(
            ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
    }();
    return abi;
}

} // namespace gate::sandbox
