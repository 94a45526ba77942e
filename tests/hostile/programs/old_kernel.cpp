// old_kernel WHAT... -- PROGRAM ARGUMENT...
//
// Runs a program as on a kernel that lacks something:
//   no-landlock         landlock_create_ruleset(2) is unknown
//   landlock-off        it is known, and turned off at boot
//   no-link-by-fd       linkat(2) by descriptor is for the superuser (before Linux 6.10)
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <seccomp.h>
#include <unistd.h>

namespace {

bool lacks(scmp_filter_ctx filter, const char* what) {
    if (std::strcmp(what, "no-landlock") == 0)
        return ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(landlock_create_ruleset), 0) == 0;
    if (std::strcmp(what, "landlock-off") == 0)
        return ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(EOPNOTSUPP), SCMP_SYS(landlock_create_ruleset), 0) ==
               0;
    if (std::strcmp(what, "no-link-by-fd") == 0)
        return ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOENT), SCMP_SYS(linkat), 1,
                                  SCMP_A4(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH)) == 0;
    return false;
}

} // namespace

int main(int, char** argv) {
    const scmp_filter_ctx filter = ::seccomp_init(SCMP_ACT_ALLOW);
    // The superuser's: a program with more rights than this one may still be started below.
    bool ok = filter != nullptr && ::seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) == 0;
    for (++argv; ok && *argv != nullptr && std::strcmp(*argv, "--") != 0; ++argv)
        ok = lacks(filter, *argv);
    if (!ok || *argv == nullptr || ::seccomp_load(filter) != 0) {
        std::fputs("usage: old_kernel WHAT... -- PROGRAM ARGUMENT...\n", stderr);
        return 125;
    }
    ::execv(argv[1], argv + 1);
    std::perror(argv[1]);
    return 127;
}
