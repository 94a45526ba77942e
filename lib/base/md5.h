// MD5 by libcrypto's block functions, for names only: agents call their files after the MD5 of their name.
// Not EVP, as in sha256.h.
#pragma once

#include "lib/base/text.h"

#include <array>
#include <openssl/md5.h>
#include <string>
#include <string_view>

namespace gate {

// 32 lower-case hexadecimal digits.
[[nodiscard]] inline std::string md5_name(std::string_view text) {
    MD5_CTX ctx;
    std::array<std::uint8_t, MD5_DIGEST_LENGTH> digest{};
    MD5_Init(&ctx);
    MD5_Update(&ctx, text.data(), text.size());
    MD5_Final(digest.data(), &ctx);
    return hex_encode(digest);
}

} // namespace gate
