// A key's blob, taken apart: strings and multiple precision integers of RFC 4251 section 5, EC points of
// RFC 5656, sk-* of OpenSSH's PROTOCOL.u2f. Every bound is taken by subtraction.
#pragma once

#include <cstdint>
#include <string_view>

namespace gate::ctl {

enum class Algorithm : std::uint8_t { ed25519, ecdsa, rsa, sk_ed25519, sk_ecdsa };

struct KeyType {
    std::string_view name;
    Algorithm algorithm;
    std::string_view curve; // "nistp256" as the wire has it; empty without one
    std::string_view group; // the same in OpenSSL's words
    std::size_t point_size; // of an uncompressed point, or of an Ed25519 key; bytes
};

// nullptr for a type that is not accepted.
[[nodiscard]] const KeyType* find_key_type(std::string_view name);

struct KeyParts {
    const KeyType* type = nullptr;
    std::string_view point;             // ed25519 key or EC point
    std::string_view exponent, modulus; // RSA, big-endian without leading zeros
};

// Throws Problem (bad_data).
[[nodiscard]] KeyParts take_apart(std::string_view type, std::string_view blob);

// Of an RSA key.
[[nodiscard]] std::size_t rsa_bits(const KeyParts& parts);

} // namespace gate::ctl
