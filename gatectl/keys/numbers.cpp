// The numbers of a key whose structure is known to be right: is the point on its curve, can the modulus be
// one. With OpenSSL's curves and big numbers; its EVP checks say no more, but for the price (see
// has_small_factor). The conditions of sshd that OpenSSL does not have are here as well. Each has its own
// words.
#include "gatectl/crypto.h"
#include "gatectl/keys/public_key.h"
#include "gatectl/keys/wire.h"
#include "gatectl/problem.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <numeric>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <vector>

namespace gate::ctl {

namespace {

using BnPtr = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using GroupPtr = std::unique_ptr<EC_GROUP, Freed<EC_GROUP_free>>;
using PointPtr = std::unique_ptr<EC_POINT, Freed<EC_POINT_free>>;

constexpr std::string_view k_fresh = "make a new key, best with `ssh-keygen -t ed25519`";

[[nodiscard]] const unsigned char* raw(std::string_view s) {
    return reinterpret_cast<const unsigned char*>(s.data());
}

[[nodiscard]] bool is_odd(std::string_view number) {
    return (static_cast<unsigned char>(number.back()) & 1) != 0;
}

// Of a big-endian number, with or without leading zeros.
[[nodiscard]] std::size_t bits_of(std::string_view number) {
    const std::size_t zeros = std::min(number.find_first_not_of('\0'), number.size());
    if (zeros == number.size())
        return 0;
    return (number.size() - zeros) * 8 -
           static_cast<std::size_t>(std::countl_zero(static_cast<unsigned char>(number[zeros])));
}

// --- ECDSA -------------------------------------------------------------------------------------------

struct Curve {
    explicit Curve(int nid)
        : group(EC_GROUP_new_by_curve_name_ex(crypto_context(), nullptr, nid)),
          point(group ? EC_POINT_new(group.get()) : nullptr) {
        if (!point)
            stop(Status::internal, "OpenSSL does not have one of the curves of NIST");
    }
    GroupPtr group;
    PointPtr point; // room for the one that is looked at
};

[[nodiscard]] const Curve& curve_of(const KeyType& type) {
    if (type.curve == "nistp256") {
        static const Curve p256(NID_X9_62_prime256v1);
        return p256;
    }
    if (type.curve == "nistp384") {
        static const Curve p384(NID_secp384r1);
        return p384;
    }
    static const Curve p521(NID_secp521r1);
    return p521;
}

// The point is on the curve, which EC_POINT_oct2point checks, and not at infinity, which has another form;
// the curves have prime order, so that is all there is. OpenSSH's sshkey_ec_validate_public also refuses
// coordinates that are small, or as large as the order: no key that was made honestly has one.
void check_curve_point(const KeyParts& parts) {
    const Curve& curve = curve_of(*parts.type);
    if (EC_POINT_oct2point(curve.group.get(), curve.point.get(), raw(parts.point), parts.point.size(),
                           nullptr) != 1)
        stop(Status::bad_data, "the key is damaged: its point is not on the curve; copy the .pub file again");
    const BIGNUM* order = EC_GROUP_get0_order(curve.group.get());
    const std::size_t half = static_cast<std::size_t>(BN_num_bits(order)) / 2;
    const std::size_t width = (parts.point.size() - 1) / 2;
    for (const std::size_t at : {std::size_t{1}, 1 + width}) {
        const std::string_view coordinate = parts.point.substr(at, width);
        const BnPtr number{BN_bin2bn(raw(coordinate), static_cast<int>(width), nullptr)};
        // number >= order - 1
        const bool large = !number || BN_add_word(number.get(), 1) != 1 || BN_cmp(number.get(), order) >= 0;
        if (bits_of(coordinate) <= half || large)
            stop(Status::bad_data, "this key has a point that sshd refuses as contrived: {}", k_fresh);
    }
}

// --- RSA ---------------------------------------------------------------------------------------------

// The primes from 3 to 997, in products that fit into the word that BN_mod_word takes.
[[nodiscard]] const std::vector<BN_ULONG>& products_of_small_primes() {
    static const std::vector<BN_ULONG> products = [] {
        constexpr BN_ULONG k_bound = 1000;
        std::vector<BN_ULONG> out{1};
        for (BN_ULONG n = 3; n < k_bound; n += 2) {
            const bool is_prime =
                std::all_of(out.begin(), out.end(), [n](BN_ULONG p) { return std::gcd(p, n) == 1; });
            if (!is_prime)
                continue;
            if (out.back() > std::numeric_limits<BN_ULONG>::max() / n)
                out.push_back(1);
            out.back() *= n;
        }
        return out;
    }();
    return products;
}

// A modulus of RSA has no small factor, of nine in ten damaged ones this finds one. Whether it is a prime,
// which is the rest of what OpenSSL's EVP_PKEY_public_check looks for, costs 5 ms at 2048 bits, 40 ms at
// 4096: a fleet of 10,000 would take minutes, to be told what no key that was ever made has.
[[nodiscard]] bool has_small_factor(std::string_view modulus) {
    const BnPtr n{BN_bin2bn(raw(modulus), static_cast<int>(modulus.size()), nullptr)};
    if (!n)
        stop(Status::internal, "OpenSSL has no memory for a number");
    const auto& products = products_of_small_primes();
    return std::any_of(products.begin(), products.end(), [&n](BN_ULONG product) {
        return std::gcd(BN_mod_word(n.get(), product), product) != 1;
    });
}

void check_rsa(const KeyParts& parts) {
    constexpr std::size_t k_max_exponent_bits = 64; // what OpenSSL verifies with at moduli over 3072 bits
    const std::size_t bits = rsa_bits(parts);
    if (bits < k_min_rsa_bits)
        stop(Status::bad_data, "this RSA key has {} bits, {} are the least accepted: {}", bits,
             k_min_rsa_bits, k_fresh);
    if (bits > k_max_rsa_bits)
        stop(Status::bad_data, "this RSA key has {} bits, OpenSSH takes {} at most: {}", bits, k_max_rsa_bits,
             k_fresh);
    if (!is_odd(parts.modulus))
        stop(Status::bad_data, "the key is damaged: its RSA modulus is even; copy the .pub file again");
    if (bits_of(parts.exponent) == 1)
        stop(Status::bad_data, "this RSA key has the exponent 1, with which everybody can sign: {}", k_fresh);
    if (!is_odd(parts.exponent))
        stop(Status::bad_data, "the key is damaged: its RSA exponent is even; copy the .pub file again");
    if (bits_of(parts.exponent) > k_max_exponent_bits)
        stop(Status::bad_data, "this RSA key has an exponent of {} bits, OpenSSL takes {} at most: {}",
             bits_of(parts.exponent), k_max_exponent_bits, k_fresh);
    if (has_small_factor(parts.modulus))
        stop(Status::bad_data,
             "the key is damaged: its RSA modulus has a small factor; copy the .pub file again");
}

// --- Ed25519 -----------------------------------------------------------------------------------------

// The points of small order: y as it is encoded, the sign bit cleared, and as y + p where that fits. A
// signature that fits such a "key" can be made without any private key. Half of all other strings are no
// points at all: nobody can sign for those, and ssh-keygen and OpenSSL check no more than the length; they
// are taken.
using Ed25519 = std::array<std::uint8_t, 32>;

constexpr Ed25519 filled(std::uint8_t first, std::uint8_t middle, std::uint8_t last) {
    Ed25519 out{};
    out.fill(middle);
    out.front() = first;
    out.back() = last;
    return out;
}

constexpr std::array k_small_order = {
    filled(0x00, 0, 0),       // y = 0, order 4
    filled(0x01, 0, 0),       // y = 1, order 1
    filled(0xec, 0xff, 0x7f), // y = -1, order 2
    filled(0xed, 0xff, 0x7f), // y = p, that is 0
    filled(0xee, 0xff, 0x7f), // y = p + 1
    Ed25519{0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
            0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
            0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05}, // order 8
    Ed25519{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
            0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
            0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a}, // order 8
};

void check_ed25519(const KeyParts& parts) {
    Ed25519 y{};
    std::copy(parts.point.begin(), parts.point.end(), y.begin());
    y.back() &= 0x7f;
    if (std::find(k_small_order.begin(), k_small_order.end(), y) != k_small_order.end())
        stop(Status::bad_data,
             "this Ed25519 key is one that everybody can sign for (its point has a small order): {}",
             k_fresh);
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
