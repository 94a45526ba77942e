#include "gatectl/keys/wire.h"

#include "gatectl/problem.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace gate::ctl {

namespace {

constexpr std::array k_types = {
    KeyType{"ssh-ed25519", Algorithm::ed25519, "", "", 32},
    KeyType{"ecdsa-sha2-nistp256", Algorithm::ecdsa, "nistp256", "P-256", 65},
    KeyType{"ecdsa-sha2-nistp384", Algorithm::ecdsa, "nistp384", "P-384", 97},
    KeyType{"ecdsa-sha2-nistp521", Algorithm::ecdsa, "nistp521", "P-521", 133},
    KeyType{"ssh-rsa", Algorithm::rsa, "", "", 0},
    KeyType{"sk-ssh-ed25519@openssh.com", Algorithm::sk_ed25519, "", "", 32},
    KeyType{"sk-ecdsa-sha2-nistp256@openssh.com", Algorithm::sk_ecdsa, "nistp256", "P-256", 65},
};

[[noreturn]] void malformed(const char* what) {
    stop(Status::bad_data, "the key is damaged: {}; copy the .pub file again", what);
}

class Cursor {
  public:
    explicit Cursor(std::string_view bytes) : rest_(bytes) {}

    [[nodiscard]] std::string_view string() {
        constexpr std::size_t k_prefix = 4;
        if (rest_.size() < k_prefix)
            malformed("it ends in the middle of a length");
        std::size_t length = 0;
        for (std::size_t i = 0; i < k_prefix; ++i)
            length = (length << 8) | static_cast<unsigned char>(rest_[i]);
        if (length > rest_.size() - k_prefix)
            malformed("a part of it is longer than the whole");
        const std::string_view part = rest_.substr(k_prefix, length);
        rest_.remove_prefix(k_prefix + length);
        return part;
    }

    // A positive number in its one canonical spelling, without the zero that only keeps it positive.
    [[nodiscard]] std::string_view number() {
        std::string_view part = string();
        if (part.empty() || (static_cast<unsigned char>(part[0]) & 0x80) != 0)
            malformed("a number in it is zero or negative");
        if (part[0] == '\0') {
            part.remove_prefix(1);
            if (part.empty() || (static_cast<unsigned char>(part[0]) & 0x80) == 0)
                malformed("a number in it has leading zeros");
        }
        return part;
    }

    void end() const {
        if (!rest_.empty())
            malformed("there are bytes behind its end");
    }

  private:
    std::string_view rest_;
};

// OpenSSH takes no NUL in it (sshbuf_get_cstring); it is "ssh:" or begins with that, a URL-like text.
void check_application(std::string_view text) {
    if (text.empty())
        malformed("it names no application");
    const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
        const auto u = static_cast<unsigned char>(c);
        return u >= 0x20 && u != 0x7f;
    });
    if (!plain)
        malformed("its application holds control characters");
}

} // namespace

const KeyType* find_key_type(std::string_view name) {
    for (const KeyType& type : k_types)
        if (type.name == name)
            return &type;
    return nullptr;
}

KeyParts take_apart(std::string_view type, std::string_view blob) {
    KeyParts parts;
    parts.type = find_key_type(type);
    if (parts.type == nullptr)
        stop(Status::bad_data, "this type of key is not accepted");
    Cursor in(blob);
    if (in.string() != type)
        malformed("the type inside is not the type before it");
    const KeyType& t = *parts.type;
    if (t.algorithm == Algorithm::rsa) {
        parts.exponent = in.number();
        parts.modulus = in.number();
    } else {
        if (!t.curve.empty() && in.string() != t.curve)
            malformed("the curve inside is not that of its type");
        parts.point = in.string();
        if (parts.point.size() != t.point_size)
            malformed("its point has the wrong length");
        if (!t.curve.empty() && parts.point[0] != '\x04')
            malformed("its point is not in the uncompressed form");
    }
    if (t.algorithm == Algorithm::sk_ed25519 || t.algorithm == Algorithm::sk_ecdsa)
        check_application(in.string());
    in.end();
    return parts;
}

std::size_t rsa_bits(const KeyParts& parts) {
    return parts.modulus.size() * 8 -
           static_cast<std::size_t>(std::countl_zero(static_cast<unsigned char>(parts.modulus[0])));
}

} // namespace gate::ctl
