#include "gatectl/keys/public_key.h"

#include "gatectl/keys/wire.h"
#include "gatectl/problem.h"
#include "lib/base/sha256.h"
#include "lib/base/text.h"

#include <algorithm>

namespace gate::ctl {

namespace {

constexpr std::string_view k_blank = " \t";
constexpr std::string_view k_fresh = "make a new key, best with `ssh-keygen -t ed25519`";
// No name of a type is longer, nor is what a message shows of one.
constexpr std::size_t k_shown = 64;
// "PRIVATE KEY" and the like: a comment shorter than that hides none.
constexpr std::size_t k_shortest_sign = 12;

[[noreturn]] void bad(std::string text) {
    throw Problem(Status::bad_data, std::move(text));
}

[[nodiscard]] bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

// The next word, taken off the line with the blanks before it; empty at the end.
[[nodiscard]] std::string_view take_word(std::string_view& line) {
    std::size_t start = 0; // by hand: find_first_of calls memchr for each byte
    while (start < line.size() && is_blank(line[start]))
        ++start;
    std::size_t end = start;
    while (end < line.size() && !is_blank(line[end]))
        ++end;
    const std::string_view word = line.substr(start, end - start);
    line.remove_prefix(end);
    return word;
}

[[nodiscard]] bool looks_like_type(std::string_view word) {
    return is_key_type(word) || word == "ssh-dss" || word.ends_with("-cert-v01@openssh.com");
}

// A type with a blob behind it: in a comment, the name of a type alone is only a word.
[[nodiscard]] bool holds_a_key(std::string_view line) {
    constexpr std::string_view k_start = "AAAA"; // the base64 of a length below 2^24
    for (std::string_view word = take_word(line); !word.empty();) {
        const std::string_view next = take_word(line);
        if (looks_like_type(word) && next.starts_with(k_start))
            return true;
        word = next;
    }
    return false;
}

[[nodiscard]] bool is_control(char c) {
    const auto u = static_cast<unsigned char>(c);
    return (u < 0x20 && c != '\t') || u == 0x7f;
}

void refuse_control_characters(std::string_view line) {
    const auto found = std::find_if(line.begin(), line.end(), is_control);
    if (found == line.end())
        return;
    if (*found == '\0')
        bad("there is a NUL inside the line: this is not a .pub file");
    if (*found == '\r')
        bad("there is a carriage return inside the line: copy the .pub file again, as plain text");
    if (*found == '\n')
        bad("there is a line feed inside the line: give one key on one line");
    bad("there is a control character inside the line: this is not a .pub file");
}

[[noreturn]] void refuse_more_lines(std::string_view line) {
    std::string_view rest = line;
    if (const std::string_view word = take_word(rest); looks_like_type(word) || holds_a_key(line))
        bad("there is more than one line: give one public key at a time (`keys import` takes many)");
    bad("there is more than one line: a public key is one line, so join what was broken apart");
}

// The one line of the text, without its end; blank lines around it do no harm.
[[nodiscard]] std::string_view only_line(std::string_view text) {
    std::string_view line;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        std::string_view here = text.substr(0, end);
        text.remove_prefix(end == text.npos ? text.size() : end + 1);
        if (here.ends_with('\r'))
            here.remove_suffix(1);
        if (here.find_first_not_of(k_blank) == here.npos)
            continue;
        if (!line.empty())
            refuse_more_lines(here);
        line = here;
    }
    if (line.empty())
        bad("there is no key: give the one line of a .pub file");
    return line;
}

// The first word is no type that may be taken.
[[noreturn]] void refuse_type(std::string_view line) {
    std::string_view rest = line;
    const std::string_view type = take_word(rest);
    if (type.ends_with("-cert-v01@openssh.com"))
        bad("this is a certificate: give the plain .pub file of the key (not -cert.pub)");
    if (type == "ssh-dss")
        bad(fmt::format("this is a DSA key, which sshd refuses: {}", k_fresh));
    if (holds_a_key(rest))
        bad("there are options before the key: give the key alone, beginning with its type");
    const bool type_like = type.starts_with("ssh-") || type.starts_with("ecdsa-") || type.starts_with("sk-");
    if (type_like)
        bad(fmt::format("keys of type {} are not accepted: {}", escape_visible(type, k_shown), k_fresh));
    if (type.find_first_not_of("0123456789") == type.npos)
        bad(fmt::format("this is a key of SSH protocol 1, which nothing uses any more: {}", k_fresh));
    if (type.starts_with("AAAA"))
        bad("the type before the key is missing: copy the whole line of the .pub file");
    bad("this is not an OpenSSH public key: give the one line of a .pub file, beginning with its type");
}

[[nodiscard]] std::string_view trimmed(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(k_blank), text.size()));
    return text.substr(0, text.find_last_not_of(k_blank) + 1);
}

void check_comment(std::string_view comment) {
    refuse_control_characters(comment);
    if (comment.size() < k_shortest_sign)
        return;
    if (holds_a_key(comment))
        bad("there is more than one key on the line: give one at a time");
    refuse_foreign_format(comment);
}

} // namespace

bool is_key_type(std::string_view word) {
    return find_key_type(word) != nullptr;
}

void check_blob(std::string_view type, std::string_view blob) {
    if (blob.size() > keyring::k_max_blob)
        bad("the key is larger than any real one: copy the .pub file again");
    static_cast<void>(take_apart(type, blob));
}

PublicKey read_key_on_line(std::string_view line) {
    if (line.size() > k_max_line)
        bad(fmt::format("the line is longer than {} bytes: this is not a .pub file", k_max_line));
    std::string_view rest = line;
    PublicKey key;
    key.type = take_word(rest);
    if (!is_key_type(key.type)) {
        refuse_control_characters(line);
        refuse_type(line);
    }
    const std::string_view base64 = take_word(rest);
    if (base64.empty())
        bad("the line ends after the type: copy the .pub file again");
    auto blob = base64_decode(base64);
    if (!blob) {
        refuse_control_characters(line);
        bad("the base64 of the key is wrong or cut off: copy the .pub file again");
    }
    key.blob = std::move(*blob);
    check_blob(key.type, key.blob);
    check_numbers(key.type, key.blob);
    const std::string_view comment = trimmed(rest);
    check_comment(comment);
    key.comment = comment;
    key.fingerprint = sha256(as_bytes(key.blob));
    return key;
}

PublicKey read_public_key(std::string_view text) {
    try {
        return read_key_on_line(only_line(text));
    } catch (const Problem&) {
        // Whatever is wrong with it: if it is a private key, then this comes first.
        refuse_foreign_format(text);
        if (text.size() > k_max_input)
            bad("the input is too long: this is not a .pub file");
        throw;
    }
}

} // namespace gate::ctl
