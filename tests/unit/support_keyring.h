// Keyrings for tests: random keys of the right shape, and what a keyring of them must answer.
#pragma once

#include "tests/unit/support.h"

#include "lib/keyring/format.h"
#include "lib/keyring/reader.h"
#include "lib/keyring/writer.h"

#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace gate::test {

[[nodiscard]] inline keyring::Fingerprint random_fingerprint(std::mt19937_64& random) {
    keyring::Fingerprint fp{};
    for (std::uint8_t& b : fp)
        b = static_cast<std::uint8_t>(random());
    return fp;
}

// A blob that begins with its type, as every SSH key does. The rest is random: nothing here verifies keys.
[[nodiscard]] inline std::string make_blob(std::string_view type, std::mt19937_64& random) {
    std::string blob(3, '\0');
    blob += static_cast<char>(type.size());
    blob += type;
    blob += std::string("\0\0\0\x20", 4);
    for (int i = 0; i < 32; ++i)
        blob += static_cast<char>(random());
    return blob;
}

[[nodiscard]] inline keyring::KeyRecord make_key(std::size_t number, std::mt19937_64& random) {
    keyring::KeyRecord key;
    key.fingerprint = random_fingerprint(random);
    key.id = "k" + std::to_string(number);
    key.state = keyring::KeyState::active;
    key.type = "ssh-ed25519";
    key.blob = make_blob(key.type, random);
    key.agents = {{"agent-" + std::to_string(number), std::string(32, 'a')}};
    if (number % 7 == 3) {
        key.state = keyring::KeyState::revoked;
        key.revoked_at = 1'700'000'000 + static_cast<std::int64_t>(number);
        key.revoke_reason = "lost";
    }
    return key;
}

[[nodiscard]] inline keyring::Contents make_contents(std::size_t keys, std::mt19937_64& random,
                                                     std::uint64_t generation = 1) {
    keyring::Contents contents;
    contents.generation = generation;
    contents.created = 1'700'000'000;
    for (std::size_t i = 0; i < keys; ++i)
        contents.keys.push_back(make_key(i, random));
    return contents;
}

// The file's bytes, by way of a file.
[[nodiscard]] inline std::string keyring_bytes(const keyring::Contents& contents) {
    const TempDir dir;
    const auto done = keyring::publish(dir / "keyring", contents, ::geteuid());
    CHECK_OK(done);
    return read_file(dir / "keyring");
}

// Fingerprints that are in none of the keys: neighbours of theirs, the ends of the range, and random ones.
[[nodiscard]] inline std::vector<keyring::Fingerprint>
make_absent(const std::vector<keyring::KeyRecord>& keys, std::size_t count, std::mt19937_64& random) {
    std::vector<keyring::Fingerprint> out;
    keyring::Fingerprint lowest{};
    keyring::Fingerprint highest{};
    highest.fill(0xff);
    out.push_back(lowest);
    out.push_back(highest);
    for (std::size_t i = 0; out.size() < count; ++i) {
        keyring::Fingerprint fp = random_fingerprint(random);
        if (!keys.empty() && i % 2 == 0) {
            fp = keys[i / 2 % keys.size()].fingerprint;
            fp.back() ^= static_cast<std::uint8_t>(1 + random() % 255);
        }
        out.push_back(fp);
    }
    return out;
}

// A small keyring in a file, with what it must answer and its bytes.
struct Sample {
    TempDir dir;
    std::string path;
    std::vector<keyring::KeyRecord> keys; // as given
    std::vector<keyring::Fingerprint> absent;
    std::string bytes;

    Sample(std::size_t count, std::size_t misses) : path(dir / "keyring") {
        auto random = seeded();
        const keyring::Contents contents = make_contents(count, random, 42);
        keys = contents.keys;
        absent = make_absent(keys, misses, random);
        bytes = keyring_bytes(contents);
        write_file(path, bytes);
    }

    [[nodiscard]] keyring::Header header() const {
        keyring::Header header{};
        std::memcpy(&header, bytes.data(), sizeof header);
        return header;
    }
    void flip(std::size_t bit) const { put(bit / 8, static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)))); }
    void restore(std::size_t bit) const { put(bit / 8, bytes[bit / 8]); }

  private:
    void put(std::size_t offset, char c) const {
        const Fd fd{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
        CHECK(::pwrite(fd.get(), &c, 1, static_cast<off_t>(offset)) == 1);
    }
};

} // namespace gate::test
