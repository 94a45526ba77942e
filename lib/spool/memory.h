// What is known of earlier drops of one key: a ring of (time, size, digest), the refusals that the audit has
// been told of, and the names that the first packets of an unbound key gave. One file a key in
// StatePaths::directory, shared by all its sessions under a lock that nobody holds for long. It makes drops
// happen once and quotas hold; a delivery never depends on it.
//
// The file: MemoryHeader with its checksum (record_file.h), then `capacity` entries, each with a checksum of
// its own. It grows with what has to be remembered, from 64 entries to what the quota lets in.
#pragma once

#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/base/sha256.h"
#include "lib/keyring/policy.h"
#include "lib/keyring/record.h"

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace gate::spool {

// Drops that are remembered at the least, however few a quota lets in.
inline constexpr std::uint32_t k_least_remembered = 4096;
// A living holder needs microseconds; after this the session goes on without memory.
inline constexpr int k_lock_patience_ms = 200;
// Packets of an unbound key that have to agree before a name is proposed.
inline constexpr std::uint32_t k_proposing_packets = 3;
// Different refusals of a key that are counted at a time.
inline constexpr std::size_t k_repeats = 64;
// Clocks of one machine do not differ; what is later than this was written before the clock was set back.
inline constexpr std::int64_t k_future_us = 60'000'000;

// "k-" and the fingerprint in hexadecimal: the name of a key's file.
[[nodiscard]] std::string memory_name(const keyring::Fingerprint& fingerprint);

// The agents that an unbound key's first packets named.
struct Learned {
    static constexpr std::size_t k_max_agent = 200;
    std::uint32_t packets = 0; // k_proposing_packets at most
    std::array<std::string, k_proposing_packets> names{};

    // All of them agree, and there are enough.
    [[nodiscard]] bool proposes() const;
};

// For `keys learned`. Errors: missing, damaged, system.
[[nodiscard]] Result<Learned> read_learned(const std::string& file, uid_t owner);

// Name and content of a drop in one: the same digest is the same drop.
using DropDigest = std::array<std::uint8_t, 24>;
[[nodiscard]] DropDigest digest_of_drop(std::string_view name, const Sha256& content);

struct MemoryHeader {
    std::array<char, 8> magic;
    std::uint32_t capacity;   // entries in the file
    std::uint32_t generation; // of the entries' places: they move when the ring grows
    std::uint64_t head;       // drops so far; the next one's place is head % capacity
    struct Repeat {
        std::uint64_t what;
        std::int64_t told_at; // microseconds since the epoch
        std::uint64_t since;  // times since then
    };
    std::array<Repeat, k_repeats> repeats;
    std::uint32_t learned_packets;
    std::array<std::uint32_t, k_proposing_packets> learned_sizes;
    std::array<std::array<char, Learned::k_max_agent>, k_proposing_packets> learned_names;
    std::array<std::byte, 1912> zeros;
};
static_assert(sizeof(MemoryHeader) == 4096 - sizeof(std::uint64_t));

struct MemoryEntry {
    std::int64_t time_us; // since the epoch; 0: withdrawn
    std::uint64_t size;   // bytes
    DropDigest digest;
    std::uint64_t checksum;
};
static_assert(sizeof(MemoryEntry) == 48);

class Memory {
  public:
    // `policy` must outlive the object.
    explicit Memory(const keyring::Policy& policy) : policy_(policy) {}

    // The file of this name (it is made if it is missing). On an error the object remembers nothing.
    // Errors: those of open_shared.
    [[nodiscard]] Result<void> open(int dir, const std::string& name, uid_t owner);
    // The same for somebody who only looks: nothing is made, and only what reads may be called.
    [[nodiscard]] Result<void> open_to_look(int dir, const std::string& name, uid_t owner);
    [[nodiscard]] int fd() const { return fd_.get(); }

    // Why nothing is remembered (any more), or what had to be forgotten; each cause once.
    [[nodiscard]] std::optional<Error> take_trouble();

    // While one of these lives (one at a time of a Memory) no other session of the key changes the file; so:
    // for microseconds. If the lock cannot be had in time, or the file cannot be used, the memory is empty
    // from then on.
    class Hold {
      public:
        Hold(Memory& memory, std::int64_t now_us);
        ~Hold();
        Hold(const Hold&) = delete;
        Hold& operator=(const Hold&) = delete;

        struct Sum {
            std::uint64_t files = 0;
            std::uint64_t bytes = 0;
        };
        // What the key has delivered within quota.window.
        [[nodiscard]] Sum recent();
        // When the last one was delivered that is remembered, in microseconds since the epoch; 0: none is.
        [[nodiscard]] std::int64_t last_us() const;
        // Has this been delivered within spool.resend_window?
        [[nodiscard]] bool knows(const DropDigest& digest) const;
        // It has been now.
        void remember(const DropDigest& digest, std::uint64_t size);
        // It has not, after all.
        void withdraw(const DropDigest& digest);
        // May the audit be told of this again? How often it was not since the last time; nullopt: not yet.
        [[nodiscard]] std::optional<std::uint64_t> tell(std::uint64_t what);
        // One of the first packets of an unbound key named this agent. True: it was the one that completes a
        // proposal.
        [[nodiscard]] bool learn(std::string_view agent);
        [[nodiscard]] Learned learned() const;

      private:
        Memory& memory_;
        const std::int64_t now_us_;
        bool locked_ = false;
        bool header_changed_ = false;
    };

  private:
    friend class Hold;
    [[nodiscard]] Result<void> refresh(std::int64_t now_us);
    [[nodiscard]] Result<void> read_entries(std::uint64_t from);
    [[nodiscard]] Result<void> write_entry(std::uint64_t number, const MemoryEntry& entry);
    [[nodiscard]] Result<void> make_place(std::int64_t now_us);
    void start_afresh();
    void give_up(const Error& why);
    [[nodiscard]] std::uint64_t first() const { return header_.head - entries_.size(); }
    [[nodiscard]] std::int64_t longest_window_us() const;

    const keyring::Policy& policy_;
    Fd fd_;
    std::optional<Error> trouble_;
    MemoryHeader header_{};
    std::uint32_t seen_generation_ = 0;
    bool known_ = false; // header_ and entries_ hold what the file held when it was last looked at
    std::deque<MemoryEntry> entries_; // the last ones, up to head
    std::uint64_t counted_from_ = 0;  // number of the first entry that the sum below counts
    std::uint64_t counted_to_ = 0;
    std::int64_t counted_at_ = 0;
    std::uint64_t files_ = 0;
    std::uint64_t bytes_ = 0;
    bool clock_told_ = false;
};

} // namespace gate::spool
