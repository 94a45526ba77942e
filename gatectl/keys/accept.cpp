#include "gatectl/keys/accept.h"

#include "gatectl/keys/ftp_user.h"
#include "gatectl/keys/wire.h"

#include <fmt/format.h>

namespace gate::ctl {

namespace {

// As keys.types has it.
[[nodiscard]] std::string_view word_of(Algorithm algorithm) {
    switch (algorithm) {
    case Algorithm::ed25519:
        return "ed25519";
    case Algorithm::ecdsa:
        return "ecdsa";
    case Algorithm::rsa:
        return "rsa";
    case Algorithm::sk_ed25519:
        return "sk-ed25519";
    case Algorithm::sk_ecdsa:
        return "sk-ecdsa";
    }
    return "?";
}

[[nodiscard]] bool is_in(std::string_view list, std::string_view word) {
    while (!list.empty()) {
        const std::string_view item = list.substr(0, list.find(','));
        if (item == word)
            return true;
        list.remove_prefix(item.size() < list.size() ? item.size() + 1 : item.size());
    }
    return false;
}

} // namespace

std::string wrong_with_policy(const keyring::Policy& policy, std::string_view type, std::string_view blob) {
    if (is_ftp_type(type))
        return {};
    const KeyParts parts = take_apart(type, blob);
    const std::string_view word = word_of(parts.type->algorithm);
    if (!is_in(policy.keys_types, word))
        return fmt::format("keys of type {} are not accepted here: keys.types is {}", word,
                           policy.keys_types);
    if (parts.type->algorithm == Algorithm::rsa && rsa_bits(parts) < policy.keys_min_rsa_bits)
        return fmt::format("this RSA key has {} bits, keys.min_rsa_bits is {}", rsa_bits(parts),
                           policy.keys_min_rsa_bits);
    return {};
}

} // namespace gate::ctl
