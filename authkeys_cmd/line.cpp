#include "authkeys_cmd/line.h"

#include "lib/base/text.h"

#include <algorithm>
#include <array>

namespace gate::authkeys {

namespace {

// Types of plain keys that sshd knows. No certificates: those are trusted by their issuer, not by a list.
constexpr std::array<std::string_view, 7> k_types = {
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
};

constexpr std::size_t k_max_id = 64; // longer than any id that `pandora-gate keys` gives or takes

// The string that a blob begins with (RFC 4251 section 5): u32 length, big-endian, then the bytes.
[[nodiscard]] std::string_view embedded_type(std::string_view blob) {
    constexpr std::size_t k_length = 4;
    if (blob.size() < k_length)
        return {};
    std::uint32_t length = 0;
    for (std::size_t i = 0; i < k_length; ++i)
        length = (length << 8) | static_cast<unsigned char>(blob[i]);
    if (length > blob.size() - k_length)
        return {};
    return blob.substr(k_length, length);
}

} // namespace

bool known_type(std::string_view type) {
    return std::find(k_types.begin(), k_types.end(), type) != k_types.end();
}

bool plain_id(std::string_view id) {
    return !id.empty() && id.size() <= k_max_id && std::all_of(id.begin(), id.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '_' || c == '-';
    });
}

Result<std::string> compose_line(const keyring::KeyRecord& key) {
    if (!known_type(key.type))
        return fail(Errc::bad_input, "the key is of a type that is not accepted");
    if (embedded_type(key.blob) != key.type)
        return fail(Errc::bad_input, "the key's type is not the one inside it");
    if (!plain_id(key.id))
        return fail(Errc::bad_input,
                    "the key's id holds other characters than letters, digits, '.', '_', '-'");
    std::string line = "restrict ";
    line.reserve(line.size() + key.type.size() + (key.blob.size() + 2) / 3 * 4 + key.id.size() + 3);
    line += key.type;
    line += ' ';
    line += base64_encode(as_bytes(key.blob));
    line += ' ';
    line += key.id;
    line += '\n';
    return line;
}

} // namespace gate::authkeys
