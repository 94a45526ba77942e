#include "gatectl/crypto.h"

#include "gatectl/problem.h"
#include "lib/base/text.h"

#include <array>
#include <openssl/provider.h>

namespace gate::ctl {

namespace {

using LibCtxPtr = std::unique_ptr<OSSL_LIB_CTX, Freed<OSSL_LIB_CTX_free>>;
using ProviderPtr = std::unique_ptr<OSSL_PROVIDER, Freed<OSSL_PROVIDER_unload>>;
using MdPtr = std::unique_ptr<EVP_MD, Freed<EVP_MD_free>>;

struct Library {
    LibCtxPtr context{OSSL_LIB_CTX_new()};
    ProviderPtr provider{context ? OSSL_PROVIDER_load(context.get(), "default") : nullptr};
    MdPtr md5{provider ? EVP_MD_fetch(context.get(), "MD5", nullptr) : nullptr};
};

[[nodiscard]] const Library& library() {
    static const Library the_library;
    if (!the_library.md5)
        stop(Status::internal, "OpenSSL's default provider cannot be loaded, or has no MD5");
    return the_library;
}

} // namespace

OSSL_LIB_CTX* crypto_context() {
    return library().context.get();
}

std::string md5_hex(std::string_view text) {
    std::array<std::uint8_t, 16> digest{};
    unsigned length = 0;
    if (EVP_Digest(text.data(), text.size(), digest.data(), &length, library().md5.get(), nullptr) != 1 ||
        length != digest.size())
        stop(Status::internal, "OpenSSL cannot compute an MD5");
    return hex_encode(digest);
}

} // namespace gate::ctl
