#include "ftpsweep/confine.h"

#include "ftpsweep/checker.h"
#include "lib/sandbox/filter.h"
#include "lib/sandbox/harden.h"
#include "lib/sandbox/landlock.h"

#include <unistd.h>

namespace gate::sweep {

namespace {

using sandbox::Access;

constexpr std::uint64_t k_mebibyte = 1024 * 1024;
constexpr std::uint64_t k_checker_files = 8; // three, and one while Landlock is set up
// Directories, the small files of its own, log, checker, one upload and its reservation.
constexpr std::uint64_t k_files = 32;
// The names of the uploads of a pass; in the checker, what it takes to read a packet.
constexpr std::uint64_t k_own_memory = 64 * k_mebibyte;
// The program, libc, stacks.
constexpr std::uint64_t k_program = 64 * k_mebibyte;

[[nodiscard]] sandbox::Limits limits(std::uint64_t files) {
    return {.file_size = k_max_upload,
            .files = files,
            .data = k_own_memory,
            .memory = k_own_memory + k_program + k_max_upload};
}

} // namespace

std::array<sandbox::DirectoryRight, 5> rights_of(const Parts& parts) {
    const Access made =
        Access::make_file | Access::write_file | Access::truncate | Access::move | Access::remove_file;
    const Access named = Access::make_file | Access::move;
    return {{{parts.staging, made},
             {parts.data_in, named},
             {parts.quarantine, named},
             // A directory is opened as an upload would be, and seen to be none; the filter lets nobody list
             // it.
             {parts.uploads, Access::read_file | Access::list | Access::remove_file | Access::move},
             {parts.held, named}}}; // below uploads, so that is granted too
}

Result<void> confine_checker() {
    GATE_CHECK(sandbox::close_all_but({STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}));
    GATE_CHECK(sandbox::harden(limits(k_checker_files)));
    if (const int abi = sandbox::landlock_abi(); abi > 0)
        GATE_CHECK(sandbox::restrict_files(abi, {}, sandbox::Signals::own_domain));
    return sandbox::filter_front(-1);
}

Result<Protection> confine(const Parts& parts) {
    std::vector<int> keep = {STDIN_FILENO,  STDOUT_FILENO,    STDERR_FILENO, parts.log,     parts.data_in,
                             parts.staging, parts.quarantine, parts.checker, parts.uploads, parts.held};
    keep.insert(keep.end(), parts.others.begin(), parts.others.end());
    GATE_CHECK(sandbox::close_all_but(std::move(keep)));
    GATE_CHECK(sandbox::harden(limits(k_files)));
    // The first Landlock lets nothing move from one directory to another, which is what is done here.
    Protection out{.landlock = sandbox::landlock_abi()};
    out.files_confined = out.landlock > 1;
    if (out.files_confined) // the checker is in a domain of its own, and has to be ended
        GATE_CHECK(sandbox::restrict_files(out.landlock, rights_of(parts), sandbox::Signals::anyone));
    GATE_CHECK(sandbox::filter_sweep({.log = parts.log,
                                      .staging = parts.staging,
                                      .targets = {parts.data_in, parts.quarantine},
                                      .inboxes = {parts.uploads, parts.held},
                                      .checker = parts.checker_pid}));
    return out;
}

} // namespace gate::sweep
