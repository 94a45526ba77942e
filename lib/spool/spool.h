// Taking a file for good: reserve (before the first byte), publish (at commit). A file is in data_in
// complete, or it is not there at all; nothing that is there is ever replaced.
//
// The file is made in the staging directory without a name (O_TMPFILE), filled, synced, and given its name in
// data_in by linkat(2), which fails where the name is taken. Where a file system cannot do that (NFS, some
// FUSE) the file has a name in the staging directory instead, and is linked, or renamed without replacing,
// from there.
#pragma once

#include "lib/base/fs.h"
#include "lib/keyring/policy.h"

#include <optional>
#include <string>
#include <string_view>

namespace gate::spool {

// Room for one file. Without publish() it disappears with this object (and, if it has no name, with the
// process).
class Reservation {
  public:
    Reservation(Reservation&& other) noexcept;
    Reservation& operator=(Reservation&&) = delete;
    Reservation(const Reservation&) = delete;
    ~Reservation();

  private:
    friend class Spool;
    Reservation(Fs& fs, int staging, Fd fd, std::string name) noexcept;

    Fs& fs_;
    int staging_;
    Fd fd_;
    std::string name_;           // in the staging directory; empty for an unnamed file
    std::uint64_t reserved_ = 0; // bytes
};

struct Published {
    std::string name;   // the name it got: the one asked for, or that with more digits
    bool synced = true; // false: it is there, but the directory could not be synced
};

class Spool {
  public:
    // Opens both directories, neither through a symbolic link, both on one file system; finds out whether
    // files here can do without a name. `policy` and `fs` must outlive the object. Errors: missing,
    // not_regular, bad_input, system.
    [[nodiscard]] static Result<Spool> open(const keyring::Policy& policy, Fs& fs);

    [[nodiscard]] Result<FreeSpace> free_space() const;

    // A new file with room for `size` bytes, if the size is known. Errors: no_space, system.
    [[nodiscard]] Result<Reservation> reserve(std::optional<std::uint64_t> size);

    // The whole content under `name` (one that admission has let through), or under the name with more digits
    // where that is taken. When this returns a value, the file is as durable as the policy asks.
    // The reservation is spent; what it holds is given back when it is destroyed, which may be later.
    // Errors: no_space, system, exists (64 names in a row were taken).
    [[nodiscard]] Result<Published> publish(Reservation&& reservation, std::string_view name,
                                            std::span<const std::byte> content);

    // Removes what crashed sessions left in the staging directory under names; how many there were. Done by
    // itself when the first named file is made.
    std::uint64_t remove_leftovers();
    // What crashed sessions had left in the staging directory under names, and was removed by this object
    // when it made its first named file.
    [[nodiscard]] std::uint64_t leftovers_removed() const { return leftovers_; }

    // Files have names while they are staged.
    [[nodiscard]] bool named() const { return named_; }
    [[nodiscard]] int data_in() const { return data_in_.get(); }
    [[nodiscard]] int staging() const { return staging_.get(); }
    // From now on files are made, without a name, in data_in itself: for a sandbox in which nothing moves
    // from one directory to another. Errors: system.
    [[nodiscard]] Result<void> stage_in_data_in();

  private:
    Spool(const keyring::Policy& policy, Fs& fs, Fd data_in, Fd staging)
        : policy_(policy), fs_(fs), data_in_(std::move(data_in)), staging_(std::move(staging)),
          named_(policy.spool_staging_method == keyring::StagingMethod::named) {}
    [[nodiscard]] Result<void> probe();
    [[nodiscard]] Result<Reservation> reserve_named();
    [[nodiscard]] Result<Published> fill_and_name(Reservation& reservation, std::string_view name,
                                                  std::span<const std::byte> content);
    [[nodiscard]] Result<void> fill(const Reservation& reservation, std::span<const std::byte> content);
    [[nodiscard]] Result<void> give_name(Reservation& reservation, const char* name);

    const keyring::Policy& policy_;
    Fs& fs_;
    Fd data_in_;
    Fd staging_;
    bool named_;
    bool swept_ = false;
    std::uint64_t leftovers_ = 0;
};

} // namespace gate::spool
