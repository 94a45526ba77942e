#include "lib/keyring/format.h"

#include <xxhash.h>

namespace gate::keyring {

namespace {
// Any odd constant: keeps the seeds of neighbouring pages and generations apart.
constexpr std::uint64_t k_seed_step = 0x9e3779b97f4a7c15U;
} // namespace

std::uint64_t header_checksum(const Header& header) {
    return XXH3_64bits(&header, offsetof(Header, checksum));
}

std::uint64_t page_checksum(const Page& page, std::uint64_t generation) {
    return XXH3_64bits_withSeed(reinterpret_cast<const char*>(&page) + k_checksum_size,
                                k_page_size - k_checksum_size, generation * k_seed_step + page.head.number);
}

std::uint64_t section_checksum(const void* data, std::size_t size, std::uint64_t generation) {
    return XXH3_64bits_withSeed(data, size, generation * k_seed_step);
}

std::uint64_t directory_slot(const Fingerprint& fingerprint, std::uint32_t bits) {
    return bits == 0 ? 0 : fingerprint_top(fingerprint) >> (64 - bits);
}

} // namespace gate::keyring
