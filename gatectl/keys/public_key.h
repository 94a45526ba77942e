// One OpenSSH public key, as a .pub file holds it: read by structure, then checked with OpenSSL. What comes
// out of here is what sshd will be told, so nothing is guessed and nothing is repaired.
#pragma once

#include "lib/keyring/record.h"

#include <string>
#include <string_view>

namespace gate::ctl {

// A .pub line of RSA-16384 has 2.8 kB, and sshd reads lines of 8 kB.
inline constexpr std::size_t k_max_line = 8 * 1024;
// What is read of a file at all: enough to recognise a private key.
inline constexpr std::size_t k_max_input = 64 * 1024;
inline constexpr unsigned k_min_rsa_bits = 2048;  // whatever keys.min_rsa_bits says
inline constexpr unsigned k_max_rsa_bits = 16384; // OpenSSL's and sshd's own limit

struct PublicKey {
    std::string type;    // "ssh-ed25519"
    std::string blob;    // wire format, RFC 4253 section 6.6
    std::string comment; // printable bytes or UTF-8; may be empty
    keyring::Fingerprint fingerprint{};
};

// The content of a .pub file. Throws Problem (bad_data) with a line that says what is wrong and what to do.
[[nodiscard]] PublicKey read_public_key(std::string_view text);

// The same of one line without its end, type first: the part of a line of authorized_keys behind the options.
[[nodiscard]] PublicKey read_key_on_line(std::string_view line);

// Is this the first word of a public key that may be taken?
[[nodiscard]] bool is_key_type(std::string_view word);

// Throws Problem (bad_data) if the text is a key in another format, or a private one: with the words that
// help more than "not a public key". Never shows anything of it. (foreign_format.cpp)
void refuse_foreign_format(std::string_view text);

// The structure of a blob only: type, lengths, nothing behind the end. Cheap; the store's keys pass it again
// at every publish. Throws Problem (bad_data).
void check_blob(std::string_view type, std::string_view blob);

// The numbers in a blob that passed check_blob: is the point on its curve, has the modulus small factors.
// Cheap enough for a million keys (0, 4 and 25 us for Ed25519, ECDSA and RSA). Throws Problem (bad_data).
void check_numbers(std::string_view type, std::string_view blob);

} // namespace gate::ctl
