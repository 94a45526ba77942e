#include "lib/keyring/ftp_sender.h"

#include "lib/base/sha256.h"
#include "lib/base/text.h"

namespace gate::keyring {

namespace {

// A string as RFC 4251 section 5 has it: u32 length, big-endian, then the bytes.
void append_string(std::string& out, std::string_view text) {
    for (const unsigned shift : {24U, 16U, 8U, 0U})
        out += static_cast<char>(text.size() >> shift & 0xFF);
    out += text;
}

} // namespace

KeyRecord ftp_sender(std::string_view user) {
    KeyRecord out;
    out.id = std::string(k_ftp_prefix) + std::string(user);
    out.state = KeyState::active;
    out.type = k_ftp_type;
    append_string(out.blob, k_ftp_type);
    append_string(out.blob, user);
    out.fingerprint = sha256(as_bytes(out.blob));
    return out;
}

} // namespace gate::keyring
