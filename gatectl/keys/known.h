// Which keys and ids a store has, held in memory for an import: a look-up costs no query, and an import into
// a store whose indexes are being rebuilt still knows what is there.
#pragma once

#include "gatectl/store/store.h"

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace gate::ctl {

class Known {
  public:
    explicit Known(Store& store);

    enum class What : std::uint8_t { there, revoked, removed, imported };
    struct Key {
        What what = What::imported;
        std::size_t line = 0;       // of the import that brought it
        std::uint64_t settings = 0; // a digest of what the import says of it
    };
    // nullptr: it is new.
    [[nodiscard]] const Key* find(const keyring::Fingerprint& fingerprint) const;
    void add(const keyring::Fingerprint& fingerprint, const Key& key) { keys_.emplace(fingerprint, key); }

    // False if the id is taken; otherwise it is now.
    [[nodiscard]] bool take_id(std::string_view id);
    [[nodiscard]] std::size_t size() const { return keys_.size(); }

  private:
    struct Hash { // a fingerprint is spread evenly already
        [[nodiscard]] std::size_t operator()(const keyring::Fingerprint& fp) const;
    };
    std::unordered_map<keyring::Fingerprint, Key, Hash> keys_;
    // Of ids, 64 bits of a digest: two that share them are both taken, which costs the second a longer id.
    std::unordered_set<std::uint64_t> ids_;
};

} // namespace gate::ctl
