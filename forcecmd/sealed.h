// A sealed memfd, mapped: content that nobody can change any more, so that what is hashed is what is
// published.
#pragma once

#include "lib/base/result.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace gate::drop {

class SealedContent {
  public:
    // Demands all seals, and exactly `size` bytes. Errors: bad_input (not sealed, another size), system.
    [[nodiscard]] static Result<SealedContent> map(int fd, std::uint64_t size);
    SealedContent(SealedContent&& other) noexcept : bytes_(other.bytes_) { other.bytes_ = {}; }
    SealedContent& operator=(SealedContent&&) = delete;
    SealedContent(const SealedContent&) = delete;
    ~SealedContent();

    [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

  private:
    explicit SealedContent(std::span<const std::byte> bytes) : bytes_(bytes) {}
    std::span<const std::byte> bytes_;
};

} // namespace gate::drop
