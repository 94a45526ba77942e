// What is pasted in place of a public key, and how to get one from it. Each has its own remedy, and of none
// is anything shown again: it may be secret.
#include "gatectl/keys/public_key.h"
#include "gatectl/problem.h"

namespace gate::ctl {

namespace {

struct Foreign {
    std::string_view sign; // anywhere in the text
    std::string_view words;
};

constexpr std::string_view k_private = "this is a private key: keep it secret; give the .pub file "
                                       "(`ssh-keygen -y -f FILE` prints what it holds)";
constexpr std::string_view k_putty = "this is a private key: keep it secret; give the .pub file, or what "
                                     "PuTTYgen shows under \"Public key for pasting "
                                     "into OpenSSH\"";

// The first that is found counts: private keys come first.
constexpr Foreign k_foreign[] = {
    {"PuTTY-User-Key-File", k_putty},
    {"Private-Lines:", k_putty},
    {"Private-MAC:", k_putty},
    // OPENSSH, RSA, EC, DSA, PKCS#8, its ENCRYPTED form; ssh.com's has a blank before the dashes.
    {"PRIVATE KEY-----", k_private},
    {"PRIVATE KEY ----", k_private},
    {"SSH PRIVATE KEY FILE FORMAT", k_private}, // of protocol 1
    {"b3BlbnNzaC1rZXktdjE", k_private},         // "openssh-key-v1": the body without its BEGIN line
    {"MC4CAQAwBQYDK2VwBCIEI", k_private},       // the same of PKCS#8 with Ed25519
    {"BEGIN SSH2 PUBLIC KEY",
     "this is a public key in ssh.com's format (RFC 4716): convert it with `ssh-keygen -i -f "
     "FILE`"},
    {"BEGIN RSA PUBLIC KEY", "this is a PEM file (PKCS#1): convert it with `ssh-keygen -i -m PEM -f FILE`"},
    {"BEGIN PUBLIC KEY", "this is a PEM file (PKCS#8): convert it with `ssh-keygen -i -m PKCS8 -f FILE`"},
    {"BEGIN CERTIFICATE",
     "this is an X.509 certificate (PEM), not an SSH key: give the .pub file of an SSH key"},
    {"BEGIN PGP", "this is a PGP block, not an SSH key: give the .pub file of an SSH key"},
};

// The base64 of RSA, DSA and EC private keys whose BEGIN line was not copied: a SEQUENCE of one to two bytes
// of length, then the version, INTEGER 0 (PKCS#1, PKCS#8) or 1 (SEC1 with its octet string).
[[nodiscard]] bool is_bare_private_key(std::string_view text) {
    const std::size_t start = text.find_first_not_of(" \t\r\n");
    if (start == text.npos)
        return false;
    text.remove_prefix(start);
    return (text.starts_with("MII") && text.substr(6).starts_with("IBA")) || // 30 82 LL LL 02 01 00
           (text.starts_with("MIG") && text.substr(4).starts_with("AgE")) || // 30 81 LL 02 01
           text.starts_with("MHcCAQEEI");                                    // 30 77 02 01 01 04 20
}

// A text of 16 bits a character holds a NUL at every second place, and would be told of those.
void refuse_wide_text(std::string_view text) {
    if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"))
        stop(Status::bad_data,
             "the file is in UTF-16, as PowerShell's > writes: save it as plain text (ASCII)");
    if (text.starts_with("\xef\xbb\xbf"))
        stop(Status::bad_data, "the file begins with a byte order mark: save it as plain text (ASCII)");
}

} // namespace

void refuse_foreign_format(std::string_view text) {
    for (const Foreign& foreign : k_foreign)
        if (text.find(foreign.sign) != text.npos)
            throw Problem(Status::bad_data, std::string(foreign.words));
    if (is_bare_private_key(text))
        throw Problem(Status::bad_data, std::string(k_private));
    refuse_wide_text(text);
}

} // namespace gate::ctl
