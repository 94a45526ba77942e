// SHA-256 by libcrypto's block functions. Not EVP: EVP_MD_fetch reads openssl.cnf, which costs a start-up and
// dies inside a sandbox. Objects that do not include this do not link libcrypto.
#pragma once

#include <array>
#include <cstdint>
#include <openssl/sha.h>
#include <span>

namespace gate {

using Sha256 = std::array<std::uint8_t, 32>;

[[nodiscard]] inline Sha256 sha256(std::span<const std::uint8_t> bytes) {
    SHA256_CTX ctx;
    Sha256 digest{};
    SHA256_Init(&ctx);
    SHA256_Update(&ctx, bytes.data(), bytes.size());
    SHA256_Final(digest.data(), &ctx);
    return digest;
}

} // namespace gate
