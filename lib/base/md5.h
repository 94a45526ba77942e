// MD5 by libcrypto's block functions, for names only: agents call their files after the MD5 of their name.
// Not EVP, as in sha256.h.
#pragma once

#include "lib/base/text.h"

#include <array>
#include <openssl/md5.h>
#include <string>
#include <string_view>

namespace gate {

// 32 lower-case hexadecimal digits, in the place of what was in `out`.
inline void md5_name(std::string_view text, std::string& out) {
    MD5_CTX ctx;
    std::array<std::uint8_t, MD5_DIGEST_LENGTH> digest{};
    MD5_Init(&ctx);
    MD5_Update(&ctx, text.data(), text.size());
    MD5_Final(digest.data(), &ctx);
    hex_encode(digest, out);
}

[[nodiscard]] inline std::string md5_name(std::string_view text) {
    std::string out;
    md5_name(text, out);
    return out;
}

} // namespace gate
