#include "gatectl/keys/known.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <limits>

namespace gate::ctl {

// The place of `hash`, or the free one where it belongs.
std::size_t Known::probe(const Table<std::uint64_t>& table, std::uint64_t hash) {
    std::size_t slot = hash & (table.size() - 1);
    while (table[slot] != 0 && table[slot] != hash)
        slot = (slot + 1) & (table.size() - 1);
    return slot;
}

Known::Known(Store& store, std::uint64_t more) {
    constexpr std::uint64_t k_least = 1024;
    const std::uint64_t expected = std::max(k_least, store.count() + more);
    keys_.resize(std::bit_ceil(2 * expected));
    ids_.resize(keys_.size());
    store.each_name([this](const Store::Name& name) {
        static_cast<void>(take_id(name.id));
        if (const auto fingerprint = keyring::parse_fingerprint(name.fingerprint))
            remember(*fingerprint,
                     name.revoked   ? What::revoked
                     : name.removed ? What::removed
                                    : What::there,
                     0, 0);
    });
}

std::size_t Known::slot_of(const keyring::Fingerprint& fingerprint) const {
    Key wanted;
    std::memcpy(&wanted.high, fingerprint.data(), sizeof wanted.high);
    std::memcpy(&wanted.low, fingerprint.data() + sizeof wanted.high, sizeof wanted.low);
    std::size_t slot = wanted.high & (keys_.size() - 1);
    while (keys_[slot].what != What::nothing &&
           (keys_[slot].high != wanted.high || keys_[slot].low != wanted.low))
        slot = (slot + 1) & (keys_.size() - 1);
    return slot;
}

const Known::Key& Known::find(const keyring::Fingerprint& fingerprint) const {
    return keys_[slot_of(fingerprint)];
}

void Known::remember(const keyring::Fingerprint& fingerprint, What what, std::size_t line,
                     std::uint64_t settings) {
    if (2 * (used_ + 1) > keys_.size())
        grow();
    Key& key = keys_[slot_of(fingerprint)];
    used_ += key.what == What::nothing ? 1U : 0U;
    std::memcpy(&key.high, fingerprint.data(), sizeof key.high);
    std::memcpy(&key.low, fingerprint.data() + sizeof key.high, sizeof key.low);
    key.settings = settings;
    key.line =
        static_cast<std::uint32_t>(std::min<std::size_t>(line, std::numeric_limits<std::uint32_t>::max()));
    key.what = what;
}

bool Known::take_id(std::string_view id) {
    if (2 * (used_ids_ + 1) > ids_.size())
        grow();
    const std::uint64_t hash = std::max<std::uint64_t>(1, std::hash<std::string_view>{}(id));
    const std::size_t slot = probe(ids_, hash);
    if (ids_[slot] == hash)
        return false;
    ids_[slot] = hash;
    ++used_ids_;
    return true;
}

void Known::grow() {
    Table<Key> keys(2 * keys_.size());
    keys.swap(keys_);
    for (const Key& key : keys) {
        if (key.what == What::nothing)
            continue;
        std::size_t slot = key.high & (keys_.size() - 1);
        while (keys_[slot].what != What::nothing)
            slot = (slot + 1) & (keys_.size() - 1);
        keys_[slot] = key;
    }
    Table<std::uint64_t> ids(keys_.size());
    for (const std::uint64_t hash : ids_)
        if (hash != 0)
            ids[probe(ids, hash)] = hash;
    ids_.swap(ids);
}

} // namespace gate::ctl
