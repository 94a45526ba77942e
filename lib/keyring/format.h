// The keyring file, byte for byte. Little-endian; all offsets are 64-bit, from the start of the file.
//
//   header      k_header_size bytes: see Header. Its last 8 bytes are XXH3-64 of the rest.
//   records     each: XXH3-64 of the rest (seed: generation), the fingerprint, encode_record(). In any order.
//   directory   (1 << directory_bits) + 1 u32: [i] is the number of the page that is responsible for the
//   smallest
//               fingerprint whose top bits are i; the last one is the number of the last page. It carries no
//               checksum of its own: the page that it leads to says which fingerprints it answers for.
//   index       pages of k_page_size, each: XXH3-64 of the rest of the page (seed: generation and page
//   number),
//               then PageHead, then sorted entries, then zeros.
//   policy      XXH3-64 of the rest (seed: generation), encode_policy().
//
// Only the header has its place; where the others lie, it says.
//
// A hit is believed after its record was checked. A miss is believed only after the checksum of the page that
// is responsible for the fingerprint was checked, and the page said that it is the responsible one.
#pragma once

#include "lib/keyring/record.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace gate::keyring {

inline constexpr std::array<char, 8> k_magic = {'P', 'G', 'K', 'E', 'Y', 'S', '\r', '\n'};
inline constexpr std::uint32_t k_version = 1;
inline constexpr std::size_t k_page_size = 4096;
inline constexpr std::size_t k_checksum_size = 8;
inline constexpr std::size_t k_record_head = k_checksum_size + sizeof(Fingerprint);
// Entries that a page of the index is expected to share with one slot of the directory.
inline constexpr std::uint64_t k_entries_per_slot = 64;
inline constexpr std::uint32_t k_max_directory_bits = 26;
// The policy is a few hundred bytes; this only bounds what a damaged header can make the reader allocate.
inline constexpr std::uint64_t k_max_policy = 64 * 1024;

struct Header {
    std::array<char, 8> magic;
    std::uint32_t version;
    std::uint32_t directory_bits;
    std::uint64_t generation; // strictly increasing with each publish
    std::uint64_t created;    // seconds since the epoch
    std::uint64_t file_size;  // bytes
    std::uint64_t key_count;
    std::uint64_t page_count;
    std::uint64_t directory_offset;
    std::uint64_t index_offset;
    std::uint64_t records_offset;
    std::uint64_t records_size;
    std::uint64_t policy_offset;
    std::uint64_t policy_size;
    std::uint64_t active_count;
    std::uint64_t reserved; // 0
    std::uint64_t checksum;
};
static_assert(sizeof(Header) == 128 && offsetof(Header, checksum) == sizeof(Header) - k_checksum_size);
inline constexpr std::size_t k_header_size = sizeof(Header);

// A page answers for every fingerprint f with after < f <= upto. The first page has no lower bound, the last
// no upper one.
struct PageHead {
    std::uint64_t checksum;
    std::uint32_t number;
    std::uint32_t count;
    Fingerprint after;
    Fingerprint upto;
};
static_assert(sizeof(PageHead) == 80);

struct Entry {
    Fingerprint fingerprint;
    std::uint64_t offset; // of the record, from records_offset
    std::uint64_t length; // of the record with its checksum, bytes
};
static_assert(sizeof(Entry) == 48);
inline constexpr std::size_t k_entries_per_page = (k_page_size - sizeof(PageHead)) / sizeof(Entry);

struct Page {
    PageHead head;
    std::array<Entry, k_entries_per_page> entries;
    std::array<std::byte, k_page_size - sizeof(PageHead) - k_entries_per_page * sizeof(Entry)> zeros;
};
static_assert(sizeof(Page) == k_page_size);

[[nodiscard]] std::uint64_t header_checksum(const Header& header);
[[nodiscard]] std::uint64_t page_checksum(const Page& page, std::uint64_t generation);
// For records and policy: of what follows the checksum.
[[nodiscard]] std::uint64_t section_checksum(const void* data, std::size_t size, std::uint64_t generation);
// The first 8 bytes as a number: orders fingerprints but for those that begin alike.
[[nodiscard]] inline std::uint64_t fingerprint_top(const Fingerprint& fingerprint) {
    std::uint64_t top = 0;
    std::memcpy(&top, fingerprint.data(), sizeof top);
    return __builtin_bswap64(top);
}
// The top of the smallest fingerprint that belongs to a slot of the directory; all behind its top is zero.
[[nodiscard]] constexpr std::uint64_t slot_top(std::uint64_t slot, std::uint32_t bits) {
    return bits == 0 ? 0 : slot << (64 - bits);
}
// The slot of the directory that a fingerprint belongs to.
[[nodiscard]] std::uint64_t directory_slot(const Fingerprint& fingerprint, std::uint32_t bits);

} // namespace gate::keyring
