// Packets that a human has to look at: taken from the client, never in data_in. A directory on data_in's
// volume that the account may create in, but not list or read (root's, 1730). A packet is two files with one
// id: ID.json says why (made first), ID.packet is the content.
//
// Bounded: quarantine.max_size counts what both files take on the disk, in blocks. The account cannot look,
// so the sum is kept in a file of StatePaths::directory, and set right by root whenever it looks
// (`pandora-gate quarantine`, `publish`).
#pragma once

#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/keyring/policy.h"
#include "lib/spool/spool.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace gate::spool {

inline constexpr const char* k_quarantine_usage_name = "quarantine"; // in StatePaths::directory
inline constexpr std::string_view k_packet_suffix = ".packet";
inline constexpr std::string_view k_sidecar_suffix = ".json";
// A sidecar is a few hundred bytes; more than this is none.
inline constexpr std::size_t k_max_sidecar = 8 * 1024;

// "20261124T060102Z-" and 16 hexadecimal digits that nobody can guess.
[[nodiscard]] std::string make_quarantine_id();
[[nodiscard]] bool is_quarantine_id(std::string_view text);

// What a file of `bytes` is charged with.
[[nodiscard]] std::uint64_t charged(std::uint64_t bytes);

struct QuarantineUsage {
    std::uint64_t bytes = 0;
    std::uint64_t packets = 0;
};

// Of an open k_quarantine_usage_name file; an empty one is zero. Errors: damaged, system.
[[nodiscard]] Result<QuarantineUsage> read_usage(int fd);
[[nodiscard]] Result<void> write_usage(int fd, const QuarantineUsage& usage);

// The side of it that takes packets. All is opened before a sandbox.
class Quarantine {
  public:
    // `spool` tells the volume. Errors: missing, not_regular, bad_input (another volume), those of
    // open_shared.
    [[nodiscard]] static Result<Quarantine> open(const keyring::Policy& policy, const Spool& spool,
                                                 int state_dir, uid_t owner);

    // A packet, durable when this returns. Errors: too_large (there is no room: nothing was taken), closed
    // (the sum could not be had in time), those of Spool.
    [[nodiscard]] Result<void> take(Spool& spool, Reservation& packet, const std::string& id,
                                    std::string_view sidecar, std::span<const std::byte> content);

    [[nodiscard]] int directory() const { return directory_.get(); }
    [[nodiscard]] int usage() const { return usage_.get(); }

  private:
    Quarantine(Fd directory, Fd usage, std::uint64_t most)
        : directory_(std::move(directory)), usage_(std::move(usage)), most_(most) {}
    [[nodiscard]] Result<void> charge(std::uint64_t bytes);
    void give_back(std::uint64_t bytes);

    Fd directory_; // O_PATH: the account may not read it
    Fd usage_;
    std::uint64_t most_; // bytes
};

} // namespace gate::spool
