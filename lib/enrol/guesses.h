// How often somebody typed what is no code: a small table of root's on /run, so that nobody guesses for long,
// neither a code nor, while it may be used, the account's password.
//
// Two limits. Of one source (an IPv4 address, a /64 of IPv6: what one site has at least): nothing more of it
// is taken for a while. Of all together: then no password is taken, and no code of a source that has guessed
// wrongly itself; a source that has not may still log in with a code. A code has 120 bits, which no number of
// guesses finds, so that the second limit is for the password; it must not be a way to keep codes out.
// A table that is full forgets the oldest source; the count of all together stays.
#pragma once

#include "lib/base/fd.h"
#include "lib/base/network.h"
#include "lib/base/result.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>

namespace gate::enrol {

inline constexpr const char* k_guesses = "/run/pandora-gate/guesses"; // 0700 root
inline constexpr std::int64_t k_guess_window = 10 * 60;               // seconds
inline constexpr std::uint32_t k_source_guesses = 10;                 // wrong ones within it
inline constexpr std::uint32_t k_all_guesses = 100;
inline constexpr std::size_t k_guess_sources = 1024;

enum class Allowance : std::uint8_t {
    all,        // code or password
    codes_only, // too many wrong ones by all together
    nothing,    // too many by this source
};

// The table, locked from open() to the end of the object: who asks and then counts is not overtaken.
class Guesses {
  public:
    // Waits `patience_ms` for the lock. Errors: missing, not_regular, wrong_owner, writable, damaged, system.
    [[nodiscard]] static Result<Guesses> open(const std::string& directory, uid_t owner, int patience_ms);

    // nullopt: the service does not say an address; all such are one source. `now`: seconds.
    [[nodiscard]] Result<Allowance> ask(const std::optional<Address>& peer, std::int64_t now);
    [[nodiscard]] Result<void> count(const std::optional<Address>& peer, std::int64_t now);
    // One less: it was right after all.
    [[nodiscard]] Result<void> forgive(const std::optional<Address>& peer, std::int64_t now);

  private:
    struct Entry {
        std::array<std::uint8_t, 16> address{};
        std::uint32_t family = 0; // AF_INET, AF_INET6, k_unknown; 0: free
        std::uint32_t count = 0;
        std::int64_t since = 0; // of the first that counts
    };
    static_assert(sizeof(Entry) == 32);
    static constexpr std::size_t k_entries = k_guess_sources + 1; // the first is all together
    static constexpr std::uint32_t k_all = 1;
    static constexpr std::uint32_t k_unknown = 0xffff;
    explicit Guesses(Fd fd) : fd_(std::move(fd)) {}
    [[nodiscard]] Result<void> load();
    [[nodiscard]] Result<void> store(std::size_t index);
    [[nodiscard]] std::size_t find(const std::optional<Address>& peer) const; // k_entries: there is none
    [[nodiscard]] static std::uint32_t current(const Entry& entry, std::int64_t now);
    [[nodiscard]] Result<void> raise(std::size_t index, std::int64_t now);

    Fd fd_;
    std::array<Entry, k_entries> entries_{};
};

} // namespace gate::enrol
