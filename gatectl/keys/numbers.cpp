// The numbers of a key whose structure is known to be right, judged by OpenSSL: is the point on its curve, is
// the modulus one.
#include "gatectl/crypto.h"
#include "gatectl/keys/public_key.h"
#include "gatectl/keys/wire.h"
#include "gatectl/problem.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>

namespace gate::ctl {

namespace {

using BnPtr = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using BuilderPtr = std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD_free>>;
using ParamsPtr = std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM_free>>;

[[nodiscard]] const unsigned char* raw(std::string_view s) {
    return reinterpret_cast<const unsigned char*>(s.data());
}

[[nodiscard]] bool is_valid(const char* algorithm, OSSL_PARAM_BLD* builder) {
    const ParamsPtr params{OSSL_PARAM_BLD_to_param(builder)};
    const PkeyCtxPtr maker{EVP_PKEY_CTX_new_from_name(crypto_context(), algorithm, nullptr)};
    EVP_PKEY* made = nullptr;
    if (!params || !maker || EVP_PKEY_fromdata_init(maker.get()) != 1 ||
        EVP_PKEY_fromdata(maker.get(), &made, EVP_PKEY_PUBLIC_KEY, params.get()) != 1)
        return false;
    const PkeyPtr key{made};
    const PkeyCtxPtr checker{EVP_PKEY_CTX_new_from_pkey(crypto_context(), key.get(), nullptr)};
    return checker && EVP_PKEY_public_check(checker.get()) == 1;
}

void check_curve_point(const KeyParts& parts) {
    const BuilderPtr builder{OSSL_PARAM_BLD_new()};
    const bool ok = builder &&
                    OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME,
                                                    parts.type->group.data(), 0) == 1 &&
                    OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY,
                                                     parts.point.data(), parts.point.size()) == 1 &&
                    is_valid("EC", builder.get());
    if (!ok)
        stop(Status::bad_data, "the key is damaged: its point is not on the curve; copy the .pub file again");
}

void check_rsa(const KeyParts& parts) {
    const std::size_t bits = rsa_bits(parts);
    if (bits < k_min_rsa_bits)
        stop(Status::bad_data,
             "this RSA key has {} bits, {} are the least accepted: make a new key, "
             "best with `ssh-keygen -t ed25519`",
             bits, k_min_rsa_bits);
    if (bits > k_max_rsa_bits)
        stop(Status::bad_data, "this RSA key has {} bits, OpenSSH takes {} at most: make a new key", bits,
             k_max_rsa_bits);
    const BnPtr n{BN_bin2bn(raw(parts.modulus), static_cast<int>(parts.modulus.size()), nullptr)};
    const BnPtr e{BN_bin2bn(raw(parts.exponent), static_cast<int>(parts.exponent.size()), nullptr)};
    const BuilderPtr builder{OSSL_PARAM_BLD_new()};
    constexpr std::size_t k_max_exponent = 8; // bytes: what OpenSSL verifies with at such moduli
    const bool ok = parts.exponent.size() <= k_max_exponent && n && e && builder &&
                    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) == 1 &&
                    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) == 1 &&
                    is_valid("RSA", builder.get());
    if (!ok)
        stop(Status::bad_data,
             "the key is damaged: its numbers are not those of an RSA key; copy the .pub file again");
}

void check_ed25519(const KeyParts& parts) {
    const PkeyPtr key{EVP_PKEY_new_raw_public_key_ex(crypto_context(), "ED25519", nullptr, raw(parts.point),
                                                     parts.point.size())};
    if (!key)
        stop(Status::bad_data, "the key is damaged: OpenSSL does not take it; copy the .pub file again");
}

} // namespace

void check_numbers(std::string_view type, std::string_view blob) {
    const KeyParts parts = take_apart(type, blob);
    switch (parts.type->algorithm) {
    case Algorithm::rsa:
        return check_rsa(parts);
    case Algorithm::ecdsa:
    case Algorithm::sk_ecdsa:
        return check_curve_point(parts);
    case Algorithm::ed25519:
    case Algorithm::sk_ed25519:
        return check_ed25519(parts);
    }
}

} // namespace gate::ctl
