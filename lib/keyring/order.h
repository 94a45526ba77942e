// Sorting a million entries of the index by a number that is spread evenly (the head of a fingerprint, an
// offset) without moving the entries: items are dealt into buckets by their top bits, then sorted there.
#pragma once

#include "lib/keyring/entries.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace gate::keyring {

struct OrderItem {
    std::uint64_t key;
    std::uint32_t index; // of what is to be sorted
};

// An entry that is read soon, in an order that the processor cannot guess. It may lie in two cache lines.
inline constexpr std::size_t k_ahead = 16; // entries: what the memory needs to answer
inline void prefetch(const Entry& entry) {
    __builtin_prefetch(&entry);
    __builtin_prefetch(&entry.length);
}

using OrderItems = std::vector<OrderItem, LargePages<OrderItem>>;

// Into the order of `key`, and of `less(index, index)` where keys are the same.
template<class Less>
void sort_items(OrderItems& items, Less less) {
    constexpr int k_bucket_bits = 11; // the ends of all buckets fit the first-level cache
    constexpr std::size_t k_few = std::size_t{1} << (k_bucket_bits + 2); // not worth two passes
    const auto before = [&less](const OrderItem& a, const OrderItem& b) {
        return a.key != b.key ? a.key < b.key : less(a.index, b.index);
    };
    if (items.size() < k_few) {
        std::sort(items.begin(), items.end(), before);
        return;
    }
    std::uint64_t all = 0;
    for (const OrderItem& item : items)
        all |= item.key;
    const int shift = std::max(0, static_cast<int>(std::bit_width(all)) - k_bucket_bits);
    std::vector<std::size_t> ends((std::size_t{1} << k_bucket_bits) + 1);
    for (const OrderItem& item : items)
        ++ends[(item.key >> shift) + 1];
    for (std::size_t i = 1; i < ends.size(); ++i)
        ends[i] += ends[i - 1];
    OrderItems dealt(items.size());
    for (const OrderItem& item : items)
        dealt[ends[item.key >> shift]++] = item;
    items = std::move(dealt);
    auto first = items.begin();
    for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
        const auto last = items.begin() + static_cast<std::ptrdiff_t>(ends[i]);
        std::sort(first, last, before);
        first = last;
    }
}

} // namespace gate::keyring
