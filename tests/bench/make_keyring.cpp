// make_keyring FILE COUNT [FINGERPRINT TYPE BASE64]
//
// A keyring of COUNT active ed25519-shaped keys (random, but the same each time), each with one agent, by the
// writer of lib/keyring. Prints the fingerprint and the line of one key in the middle, separated by a
// newline; that one is the key that was named, if one was. The blobs only look like keys: the fingerprints
// are random too.
#include "lib/base/text.h"
#include "lib/keyring/writer.h"

#include <cstdio>
#include <random>
#include <unistd.h>

namespace {

using namespace gate;

[[nodiscard]] std::string ed25519_blob(std::mt19937_64& random) {
    std::string blob("\0\0\0\x0bssh-ed25519\0\0\0\x20", 19);
    for (int i = 0; i < 32; ++i)
        blob += static_cast<char>(random());
    return blob;
}

[[nodiscard]] keyring::KeyRecord make_key(std::uint64_t number, std::mt19937_64& random) {
    keyring::KeyRecord key;
    for (std::uint8_t& b : key.fingerprint)
        b = static_cast<std::uint8_t>(random());
    key.id = "k" + std::to_string(number);
    key.state = keyring::KeyState::active;
    key.type = "ssh-ed25519";
    key.blob = ed25519_blob(random);
    key.agents.push_back({"agent-" + std::to_string(number), std::string(32, '0')});
    return key;
}

// `words`: fingerprint, type, base64.
[[nodiscard]] bool put_in(keyring::KeyRecord& key, char** words) {
    const auto fingerprint = keyring::parse_fingerprint(words[0]);
    const auto blob = base64_decode(words[2]);
    if (!fingerprint || !blob)
        return false;
    key.fingerprint = *fingerprint;
    key.type = words[1];
    key.blob = *blob;
    return true;
}

[[nodiscard]] int run(const char* path, std::uint64_t count, char** named) {
    std::mt19937_64 random(1);
    keyring::Contents contents;
    contents.keys.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i)
        contents.keys.push_back(make_key(i, random));
    if (named != nullptr && !put_in(contents.keys[count / 2], named)) {
        std::fputs("make_keyring: this is not a key\n", stderr);
        return 65;
    }
    const keyring::KeyRecord shown = contents.keys[count / 2];
    if (const auto done = keyring::publish(path, std::move(contents), ::getuid()); !done) {
        std::fprintf(stderr, "make_keyring: %s\n", done.error().what);
        return 1;
    }
    std::printf("%s\nrestrict %s %s %s\n", keyring::format_fingerprint(shown.fingerprint).c_str(),
                shown.type.c_str(), base64_encode(as_bytes(shown.blob)).c_str(), shown.id.c_str());
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    const auto count = argc == 3 || argc == 6 ? parse_u64(argv[2]) : std::nullopt;
    if (!count || *count == 0 || *count > 10'000'000) {
        std::fputs("usage: make_keyring FILE COUNT [FINGERPRINT TYPE BASE64]\n", stderr);
        return 64;
    }
    return run(argv[1], *count, argc == 6 ? argv + 3 : nullptr);
}
