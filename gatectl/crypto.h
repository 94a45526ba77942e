// OpenSSL with a library context of its own: the default provider, whatever openssl.cnf of the machine says,
// so that MD5 (a file name here, not a protection) also works on a host in FIPS mode.
#pragma once

#include <memory>
#include <openssl/evp.h>
#include <string>
#include <string_view>

namespace gate::ctl {

template<auto Free>
struct Freed {
    template<class T>
    void operator()(T* p) const {
        Free(p);
    }
};
using PkeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using PkeyCtxPtr = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;

// The context, made at the first call, there to the end. Throws Problem (internal) if OpenSSL has no default
// provider.
[[nodiscard]] OSSL_LIB_CTX* crypto_context();

// 32 lower-case hexadecimal digits: how newer agents name their files.
[[nodiscard]] std::string md5_hex(std::string_view text);

} // namespace gate::ctl
