#include "lib/spool/quarantine.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/spool/record_file.h"

#include <algorithm>
#include <array>
#include <sys/random.h>

namespace gate::spool {

namespace {

constexpr std::size_t k_stamp = 16; // "20261124T060102Z"
constexpr std::size_t k_random = 8; // bytes

} // namespace

std::string make_quarantine_id() {
    const std::string text = format_utc(wall_clock_us()); // "2026-11-24T06:01:02.123Z"
    std::string out;
    for (const char c : text.substr(0, text.find('.'))) {
        if (c != '-' && c != ':')
            out += c;
    }
    out += "Z-";
    std::array<std::uint8_t, k_random> random{};
    // Without a random number zeros are a name too: linkat never replaces.
    [[maybe_unused]] const ssize_t got = ::getrandom(random.data(), random.size(), 0);
    return out + hex_encode(random);
}

bool is_quarantine_id(std::string_view text) {
    if (text.size() != k_stamp + 1 + 2 * k_random || text[8] != 'T' || text[k_stamp - 1] != 'Z' ||
        text[k_stamp] != '-')
        return false;
    return std::ranges::all_of(text, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == 'T' || c == 'Z' || c == '-';
    });
}

std::uint64_t charged(std::uint64_t bytes) {
    constexpr std::uint64_t k_block = 4096;
    constexpr std::uint64_t k_inode = 512; // a file of no bytes takes something too
    return (bytes + k_inode + k_block - 1) / k_block * k_block;
}

Result<QuarantineUsage> read_usage(int fd) {
    QuarantineUsage usage;
    const auto read = read_record(fd, std::as_writable_bytes(std::span(&usage, 1)));
    if (!read)
        return std::unexpected(read.error());
    return *read ? usage : QuarantineUsage{};
}

Result<void> write_usage(int fd, const QuarantineUsage& usage) {
    return write_record(fd, std::as_bytes(std::span(&usage, 1)));
}

} // namespace gate::spool
