#include "lib/sandbox/landlock.h"

#include "lib/base/fd.h"

#include <array>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace gate::sandbox {

namespace {

// As linux/landlock.h of a later kernel than the oldest that this is built on.
struct RulesetAttributes {
    std::uint64_t files;
    std::uint64_t network; // since ABI 4
    std::uint64_t scoped;  // since ABI 6
};
constexpr std::uint64_t k_make_file = 1U << 8;
constexpr std::uint64_t k_write_file = 1U << 1;
constexpr std::uint64_t k_read_file = 1U << 2;
constexpr std::uint64_t k_read_directory = 1U << 3;
constexpr std::uint64_t k_remove_file = 1U << 5;
constexpr std::uint64_t k_refer = 1U << 13;
constexpr std::uint64_t k_truncate = 1U << 14;
static_assert(k_make_file == LANDLOCK_ACCESS_FS_MAKE_REG && k_write_file == LANDLOCK_ACCESS_FS_WRITE_FILE &&
              k_remove_file == LANDLOCK_ACCESS_FS_REMOVE_FILE &&
              k_read_file == LANDLOCK_ACCESS_FS_READ_FILE && k_read_directory == LANDLOCK_ACCESS_FS_READ_DIR);

// What each version added.
constexpr std::uint64_t k_files_of_abi_1 = (1U << 13) - 1;
constexpr std::uint64_t k_ioctl_of_devices = 1U << 15; // ABI 5
constexpr std::uint64_t k_bind_and_connect_tcp = 3;    // ABI 4
constexpr std::uint64_t k_abstract_sockets = 1U << 0;  // ABI 6
constexpr std::uint64_t k_signals = 1U << 1;           // ABI 6

[[nodiscard]] RulesetAttributes all_of(int abi, Signals signals) {
    RulesetAttributes out{.files = k_files_of_abi_1, .network = 0, .scoped = 0};
    if (abi >= 2)
        out.files |= k_refer;
    if (abi >= 3)
        out.files |= k_truncate;
    if (abi >= 4)
        out.network = k_bind_and_connect_tcp;
    if (abi >= 5)
        out.files |= k_ioctl_of_devices;
    if (abi >= 6)
        out.scoped = signals == Signals::own_domain ? k_abstract_sockets | k_signals : k_abstract_sockets;
    return out;
}

[[nodiscard]] std::uint64_t bits_of(Access access) {
    constexpr std::array<std::uint64_t, 7> k_bits = {k_make_file,   k_write_file, k_truncate,      k_refer,
                                                     k_remove_file, k_read_file,  k_read_directory};
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < k_bits.size(); ++i)
        out |= (static_cast<std::uint32_t>(access) >> i & 1U) != 0 ? k_bits[i] : 0;
    return out;
}

} // namespace

Result<void> restrict_files(int abi, std::span<const DirectoryRight> rights, Signals signals) {
    const RulesetAttributes handled = all_of(abi, signals);
    // An older kernel takes the longer structure: what it does not know is zero.
    const Fd ruleset{static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0))};
    if (!ruleset.valid())
        return fail_errno("cannot make a Landlock rule set");
    for (const DirectoryRight& right : rights) {
        const landlock_path_beneath_attr rule{.allowed_access = bits_of(right.access) & handled.files,
                                              .parent_fd = right.dir};
        if (right.dir < 0 || rule.allowed_access == 0)
            continue;
        if (::syscall(SYS_landlock_add_rule, ruleset.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
            return fail_errno("cannot make a Landlock rule");
    }
    if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0)
        return fail_errno("cannot enter the Landlock domain");
    return {};
}

} // namespace gate::sandbox
