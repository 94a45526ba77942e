#include "gatectl/keys/public_key.h"

#include "gatectl/keys/wire.h"
#include "gatectl/problem.h"
#include "lib/base/sha256.h"
#include "lib/base/text.h"

#include <algorithm>
#include <vector>

namespace gate::ctl {

namespace {

constexpr std::string_view k_blank = " \t";
constexpr std::string_view k_fresh = "make a new key, best with `ssh-keygen -t ed25519`";

[[noreturn]] void bad(std::string text) {
    throw Problem(Status::bad_data, std::move(text));
}

// Things that are pasted by mistake and have their own remedy. None of them is shown again in the message.
void refuse_other_formats(std::string_view text) {
    const auto has = [text](std::string_view what) { return text.find(what) != std::string_view::npos; };
    if (has("PRIVATE KEY--") || has("PuTTY-User-Key-File") || has("Private-Lines:") ||
        has("b3BlbnNzaC1rZXktdjE")) // "openssh-key-v1", the body without its BEGIN line
        bad("this is a private key: keep it secret; give the .pub file");
    if (has("BEGIN SSH2 PUBLIC KEY"))
        bad("this is a key in the format of RFC 4716: convert it with `ssh-keygen -i -f FILE`");
    if (has("BEGIN PUBLIC KEY") || has("BEGIN RSA PUBLIC KEY") || has("BEGIN CERTIFICATE"))
        bad("this is a PEM file, not an OpenSSH public key: convert it with `ssh-keygen -i -m PKCS8 -f "
            "FILE`, "
            "or give the .pub file");
}

// The one line of the text, without its end; blank lines around it do no harm.
[[nodiscard]] std::string_view only_line(std::string_view text) {
    std::string_view line;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        std::string_view here = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (here.ends_with('\r'))
            here.remove_suffix(1);
        if (here.find_first_not_of(k_blank) == std::string_view::npos)
            continue;
        if (!line.empty())
            bad("there is more than one line: give one public key at a time, on one line");
        line = here;
    }
    if (line.empty())
        bad("there is no key: give the one line of a .pub file");
    if (line.size() > k_max_line)
        bad(fmt::format("the line is longer than {} bytes: this is not a .pub file", k_max_line));
    for (const char c : line) {
        const auto u = static_cast<unsigned char>(c);
        if (u == 0 || u == '\r')
            bad("there is a NUL or a carriage return inside the line: this is not a .pub file");
        if ((u < 0x20 && u != '\t') || u == 0x7f)
            bad("there is a control character inside the line: this is not a .pub file");
    }
    return line;
}

[[nodiscard]] std::vector<std::string_view> words(std::string_view line) {
    std::vector<std::string_view> out;
    for (std::size_t at = 0; (at = line.find_first_not_of(k_blank, at)) != std::string_view::npos;) {
        const std::size_t end = std::min(line.find_first_of(k_blank, at), line.size());
        out.push_back(line.substr(at, end - at));
        at = end;
    }
    return out;
}

[[nodiscard]] bool looks_like_type(std::string_view word) {
    return find_key_type(word) != nullptr || word == "ssh-dss" || word.ends_with("-cert-v01@openssh.com");
}

void refuse_type(const std::vector<std::string_view>& line) {
    const std::string_view type = line.front();
    if (type.ends_with("-cert-v01@openssh.com"))
        bad("this is a certificate: give the plain .pub file of the key (not -cert.pub)");
    if (type == "ssh-dss")
        bad(fmt::format("this is a DSA key, which sshd refuses: {}", k_fresh));
    if (std::any_of(line.begin() + 1, line.end(), looks_like_type))
        bad("there are options before the key: give the key alone, beginning with its type");
    const bool type_like = type.starts_with("ssh-") || type.starts_with("ecdsa-") || type.starts_with("sk-");
    if (type_like)
        bad(fmt::format("keys of type {} are not accepted: {}", escape_visible(type, 64), k_fresh));
    bad("this is not an OpenSSH public key: give the one line of a .pub file, beginning with its type");
}

} // namespace

void check_blob(std::string_view type, std::string_view blob) {
    if (blob.size() > keyring::k_max_blob)
        bad("the key is larger than any real one");
    static_cast<void>(take_apart(type, blob));
}

PublicKey read_public_key(std::string_view text) {
    refuse_other_formats(text);
    if (text.size() > k_max_input)
        bad("the input is too long: this is not a .pub file");
    const std::string_view line = only_line(text);
    const auto parts = words(line);
    if (find_key_type(parts.front()) == nullptr)
        refuse_type(parts);
    if (parts.size() < 2)
        bad("the line ends after the type: copy the .pub file again");
    const auto blob = base64_decode(parts[1]);
    if (!blob)
        bad("the base64 of the key is wrong or cut off: copy the .pub file again");
    if (std::any_of(parts.begin() + 2, parts.end(), looks_like_type))
        bad("there is more than one key on the line: give one at a time");

    PublicKey key;
    key.type = parts[0];
    key.blob = *blob;
    check_blob(key.type, key.blob);
    check_numbers(key.type, key.blob);
    if (parts.size() > 2)
        key.comment = line.substr(static_cast<std::size_t>(parts[2].data() - line.data()));
    key.comment.erase(key.comment.find_last_not_of(k_blank) + 1);
    key.fingerprint = sha256(as_bytes(key.blob));
    return key;
}

} // namespace gate::ctl
