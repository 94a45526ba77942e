#include "forcecmd/confine.h"

#include "lib/sandbox/filter.h"
#include "lib/sandbox/harden.h"
#include "lib/sandbox/landlock.h"

#include <algorithm>
#include <array>
#include <unistd.h>

namespace gate::drop {

namespace {

using sandbox::Access;
using sandbox::DirectoryRight;
using sandbox::Signals;

constexpr std::uint64_t k_mebibyte = 1024 * 1024;
// The client's three, the channel, eight files being staged; one more while Landlock is set up.
constexpr std::uint64_t k_front_files = 32;
// Two directories and quarantine, log, channel, eight reservations and one beforehand, the small files of its
// own; the link slot is number 63.
constexpr std::uint64_t k_publisher_files = 64;
// Buffers of both processes are under 2 MiB, staged content lies in memfds, which do not count; the rest is
// for reading a packet's XML.
constexpr std::uint64_t k_own_memory = 64 * k_mebibyte;
// The program, libc, stacks.
constexpr std::uint64_t k_program = 64 * k_mebibyte;
// Whatever a policy says of packets: the files that the publisher keeps of its own are larger than none of
// this.
constexpr std::uint64_t k_least_file_size = 16 * k_mebibyte;

} // namespace

bool can_move_files() {
    return sandbox::landlock_abi() != 1;
}

Result<void> confine_front(int channel, const keyring::Policy& policy) {
    GATE_CHECK(sandbox::close_all_but({STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, channel}));
    GATE_CHECK(sandbox::harden({.file_size = policy.drop_max_file_size,
                                .files = k_front_files,
                                .data = k_own_memory,
                                .memory = k_own_memory + k_program + policy.drop_max_file_size}));
    if (const int abi = sandbox::landlock_abi(); abi > 0)
        GATE_CHECK(sandbox::restrict_files(abi, {}, Signals::own_domain));
    return sandbox::filter_front(channel);
}

Result<void> confine_enrolment(const sandbox::EnrolCalls& sockets) {
    GATE_CHECK(
        sandbox::close_all_but({STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, sockets.service, sockets.log}));
    GATE_CHECK(sandbox::harden({.file_size = k_mebibyte, // there is none to write to
                                .files = k_front_files,
                                .data = k_own_memory,
                                .memory = k_own_memory + k_program}));
    if (const int abi = sandbox::landlock_abi(); abi > 0)
        GATE_CHECK(sandbox::restrict_files(abi, {}, Signals::own_domain));
    return sandbox::filter_enrol(sockets);
}

std::vector<sandbox::DirectoryRight> publisher_rights(const PublisherParts& parts, int abi) {
    const Access made = Access::make_file | Access::write_file | Access::truncate | Access::move |
                        (parts.named ? Access::remove_file : Access::none);
    const Access named = Access::make_file | Access::move;
    std::vector<DirectoryRight> out = {
        {parts.staging, made}, {parts.data_in, named}, {parts.quarantine, named}};
    if (abi == 1) // nothing moves
        out.push_back({parts.quarantine, made});
    return out;
}

Result<Protection> confine_publisher(const PublisherParts& parts, const keyring::Policy& policy) {
    std::vector<int> keep = {STDIN_FILENO,  STDOUT_FILENO, STDERR_FILENO,    parts.channel,  parts.log,
                             parts.data_in, parts.staging, parts.quarantine, parts.link_slot};
    keep.insert(keep.end(), parts.others.begin(), parts.others.end());
    GATE_CHECK(sandbox::close_all_but(std::move(keep)));
    // Two contents may be mapped at a time: the one that the audit is told of, and the next.
    GATE_CHECK(
        sandbox::harden({.file_size = std::max<std::uint64_t>(policy.drop_max_file_size, k_least_file_size),
                         .files = k_publisher_files,
                         .data = k_own_memory,
                         .memory = k_own_memory + k_program + 2 * policy.drop_max_file_size}));
    Protection out{.landlock = sandbox::landlock_abi()};
    const bool in_place = out.landlock == 1 && !parts.named;
    // Named files move from staging to data_in, and a Landlock that lets nothing move cannot hold such a
    // process.
    out.files_confined = out.landlock > 1 || in_place;
    if (out.files_confined) // the front is in a domain of its own, and has to be killed at the end
        GATE_CHECK(
            sandbox::restrict_files(out.landlock, publisher_rights(parts, out.landlock), Signals::anyone));
    std::vector<int> targets = {parts.data_in, parts.quarantine};
    std::vector<int> staging = {parts.staging, in_place ? parts.quarantine : -1};
    std::erase(targets, -1);
    std::erase(staging, -1);
    GATE_CHECK(sandbox::filter_publisher({.channel = parts.channel,
                                          .log = parts.log,
                                          .staging = staging,
                                          .targets = targets,
                                          .named = parts.named,
                                          .link_slot = parts.link_slot,
                                          .front = parts.front}));
    return out;
}

} // namespace gate::drop
