// Which keys and ids a store has, held in memory for an import: a look-up costs no query, and an import into
// a store whose indexes are being rebuilt still knows what is there. 64 bytes a key.
#pragma once

#include "gatectl/store/store.h"
#include "lib/keyring/entries.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace gate::ctl {

class Known {
  public:
    // `more`: how many keys will come beside those of the store; a guess.
    Known(Store& store, std::uint64_t more);

    enum class What : std::uint8_t { nothing, there, revoked, removed, imported };
    // By 128 bits of the fingerprint; nobody makes two keys that share them.
    struct Key {
        std::uint64_t high = 0, low = 0;
        std::uint64_t settings = 0; // a digest of what the import says of it
        std::uint32_t line = 0;     // of the import that brought it
        What what = What::nothing;
    };
    // What is known of it; What::nothing: it is new. The reference holds until the next remember().
    [[nodiscard]] const Key& find(const keyring::Fingerprint& fingerprint) const;
    void remember(const keyring::Fingerprint& fingerprint, What what, std::size_t line,
                  std::uint64_t settings);

    // False if the id is taken; otherwise it is now. Two ids that share 64 bits of a digest are one: that
    // costs the second a longer id.
    [[nodiscard]] bool take_id(std::string_view id);
    [[nodiscard]] std::size_t size() const { return used_; }

  private:
    [[nodiscard]] std::size_t slot_of(const keyring::Fingerprint& fingerprint) const;
    void grow();

    // Two tables with linear probing, never more than half full: each look-up is one miss of the cache, and
    // in large pages none of the table of pages.
    static_assert(sizeof(Key) == 32, "a Key does not lie in two lines of the cache");
    template<class T>
    using Table = std::vector<T, keyring::LargePages<T>>;
    [[nodiscard]] static std::size_t probe(const Table<std::uint64_t>& table, std::uint64_t hash);
    Table<Key> keys_;
    Table<std::uint64_t> ids_; // 0: free
    std::size_t used_ = 0;
    std::size_t used_ids_ = 0;
};

} // namespace gate::ctl
