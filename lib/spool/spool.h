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

    // Its name in the staging directory; empty for an unnamed file.
    [[nodiscard]] const std::string& staged_name() const { return name_; }
    // Leaves that name behind, for whoever comes next to find.
    void abandon() { name_.clear(); }

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

// How a file with a name in the staging directory gets its other one.
enum class Naming : std::uint8_t {
    linked, // linkat(2), which every file system that lacks O_TMPFILE has; then the first name is removed
    moved,  // renameat2(2): the first name is gone exactly if the file was taken, however the process ends
};

class Spool {
  public:
    // Opens both directories, neither through a symbolic link, both on one file system; finds out whether
    // files here can do without a name; removes what crashed sessions left in the staging directory. All that
    // reads a directory happens here: before a sandbox. `policy` and `fs` must outlive the object. Errors:
    // missing, not_regular, bad_input, system, no_space.
    [[nodiscard]] static Result<Spool> open(const keyring::Policy& policy, Fs& fs,
                                            Naming naming = Naming::linked);

    [[nodiscard]] Result<FreeSpace> free_space() const;

    // A new file with room for `size` bytes, if the size is known. Errors: no_space, system.
    [[nodiscard]] Result<Reservation> reserve(std::optional<std::uint64_t> size);
    // The same, to be put away into that directory.
    [[nodiscard]] Result<Reservation> reserve_for(int directory, std::uint64_t size);

    // The steps of a drop, in this order. What a reservation holds is given back when it is destroyed.
    //
    // The whole content, as durable as the policy asks. Errors: no_space, system.
    [[nodiscard]] Result<void> fill(const Reservation& reservation, std::span<const std::byte> content);
    // The name in data_in (one that admission has let through), or, where that is taken, the name with more
    // digits. Gives the name that it got. Errors: no_space, system, exists (64 names in a row were taken).
    [[nodiscard]] Result<std::string> give_name(Reservation& reservation, std::string_view name);
    // The name in another directory of the same file system; nobody but the superuser may read the file from
    // then on. Errors: exists, no_space, system.
    [[nodiscard]] Result<void> put_away(Reservation& reservation, int directory, const std::string& name);
    // The names given so far, as durable as the policy asks. Never repeated into a success. Errors: system.
    [[nodiscard]] Result<void> sync_names();

    // All of that: when it returns a value, the file is as durable as the policy asks.
    [[nodiscard]] Result<Published> publish(Reservation&& reservation, std::string_view name,
                                            std::span<const std::byte> content);

    // The names in the staging directory, made so far: unless nothing is to be durable, as what is told by
    // their absence may be. Errors: system.
    [[nodiscard]] Result<void> sync_staged();

    // What was removed from the staging directory at the start.
    [[nodiscard]] std::uint64_t leftovers_removed() const { return leftovers_; }
    // Files have names while they are staged.
    [[nodiscard]] bool named() const { return named_; }
    [[nodiscard]] int data_in() const { return data_in_.get(); }
    [[nodiscard]] int staging() const { return staging_.get(); }
    // From now on files are made, without a name, in the directory that they are for: for a sandbox in which
    // nothing moves from one directory to another. Errors: system.
    [[nodiscard]] Result<void> stage_in_data_in();
    [[nodiscard]] bool moves_files() const { return moves_; }

  private:
    Spool(const keyring::Policy& policy, Fs& fs, Fd data_in, Fd staging, Naming naming)
        : policy_(policy), fs_(fs), data_in_(std::move(data_in)), staging_(std::move(staging)),
          named_(policy.spool_staging_method == keyring::StagingMethod::named), naming_(naming) {}
    [[nodiscard]] Result<void> probe();
    [[nodiscard]] Result<Reservation> reserve_unnamed(int directory);
    [[nodiscard]] Result<Reservation> prepare(Reservation made, std::optional<std::uint64_t> size);
    [[nodiscard]] Result<Reservation> reserve_named();
    [[nodiscard]] Result<void> link(Reservation& reservation, int directory, const char* name);
    [[nodiscard]] Result<void> move_or_link(Reservation& reservation, int directory, const char* name);
    [[nodiscard]] Result<void> move(Reservation& reservation, int directory, const char* name);
    [[nodiscard]] std::uint64_t remove_leftovers();

    const keyring::Policy& policy_;
    Fs& fs_;
    Fd data_in_;
    Fd staging_;
    bool named_;
    Naming naming_;
    bool moves_ = true;
    std::uint64_t leftovers_ = 0;
};

} // namespace gate::spool
