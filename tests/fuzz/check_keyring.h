// The keyring's reader over damaged keyrings: never a wrong answer. The input says which of a few sound
// keyrings is taken and how it is changed; then every key that is in it, and some that are not, are asked
// for.
//
// XXH3 is no secret: who can write the file can also make its checksums right (only root can). Libfuzzer does
// that too, by looking at the comparison. Such a forgery may answer what it likes, but not crash, and a
// keyring that verify() accepts must answer by what verify() showed.
#pragma once

#include "lib/base/fd.h"
#include "lib/keyring/builder.h"
#include "lib/keyring/format.h"
#include "lib/keyring/reader.h"
#include "lib/keyring/tlv.h"
#include "tests/fuzz/require.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <random>
#include <sys/stat.h>
#include <vector>

namespace gate::fuzz {

// One sound keyring, in a file that the reader opens by its path.
class SoundKeyring {
  public:
    explicit SoundKeyring(std::size_t count) {
        std::mt19937_64 random(count);
        constexpr std::uint64_t k_generation = 42;
        for (std::size_t i = 0; i < count; ++i) {
            keyring::KeyRecord key;
            for (std::uint8_t& b : key.fingerprint)
                b = static_cast<std::uint8_t>(random());
            key.id = "k" + std::to_string(i);
            key.state = i % 3 == 2 ? keyring::KeyState::revoked : keyring::KeyState::active;
            key.revoked_at = i % 3 == 2 ? 1'700'000'000 : 0;
            key.type = "ssh-ed25519";
            key.blob = std::string("\0\0\0\x0bssh-ed25519\0\0\0\x20", 19) +
                       std::string(32, static_cast<char>('a' + i % 26));
            key.agents = {{"agent" + std::to_string(i), std::string(32, 'a')}};
            keys.push_back(key);
        }
        const char* base = std::getenv("TMPDIR");
        path_ = std::string(base != nullptr ? base : "/tmp") + "/gate-fuzz-keyring.XXXXXX";
        fd_ = Fd{::mkstemp(path_.data())};
        // The builder makes a new file of that name.
        auto builder = keyring::Builder::create(path_, k_generation, 0).value();
        for (const keyring::KeyRecord& key : keys)
            builder.add(key).value();
        builder.finish(keyring::Policy{}).value();
        builder.keep();
        fd_ = Fd{::open(path_.c_str(), O_RDWR | O_CLOEXEC)};
        struct stat st {};
        if (!fd_.valid() || ::fstat(fd_.get(), &st) != 0)
            std::abort();
        bytes.resize(static_cast<std::size_t>(st.st_size));
        if (::pread(fd_.get(), bytes.data(), bytes.size(), 0) != st.st_size)
            std::abort();
        std::memcpy(&header, bytes.data(), sizeof header);
    }
    SoundKeyring(const SoundKeyring&) = delete;
    SoundKeyring& operator=(const SoundKeyring&) = delete;
    ~SoundKeyring() { ::unlink(path_.c_str()); }

    [[nodiscard]] Result<keyring::Reader> open_with(const std::string& content) const {
        if (::ftruncate(fd_.get(), 0) != 0 ||
            ::pwrite(fd_.get(), content.data(), content.size(), 0) != static_cast<ssize_t>(content.size()))
            std::abort();
        return keyring::Reader::open(path_.c_str(), ::geteuid());
    }

    std::vector<keyring::KeyRecord> keys;
    std::string bytes;
    keyring::Header header{};

  private:
    std::string path_;
    Fd fd_;
};

// Is there a part of `changed` that is another than in `sound` and whose checksum is right all the same?
[[nodiscard]] inline bool is_forged(const SoundKeyring& sound, const std::string& changed) {
    using namespace keyring;
    const Header& h = sound.header;
    const auto differs = [&](std::uint64_t at, std::uint64_t size) {
        return changed.size() >= at + size && sound.bytes.compare(at, size, changed, at, size) != 0;
    };
    const auto section_holds = [&](std::uint64_t at, std::uint64_t size) {
        return get_int<std::uint64_t>(changed.data() + at) ==
               section_checksum(changed.data() + at + k_checksum_size, size - k_checksum_size, h.generation);
    };
    Header header{};
    if (differs(0, sizeof header)) {
        std::memcpy(&header, changed.data(), sizeof header);
        if (header.checksum == header_checksum(header))
            return true;
    }
    for (std::uint64_t number = 0; number < h.page_count; ++number) {
        const std::uint64_t at = h.index_offset + number * k_page_size;
        Page page{};
        std::memcpy(&page, sound.bytes.data() + at, sizeof page);
        for (std::size_t i = 0; i < page.head.count; ++i) {
            const Entry& entry = page.entries[i];
            if (differs(h.records_offset + entry.offset, entry.length) &&
                section_holds(h.records_offset + entry.offset, entry.length))
                return true;
        }
        if (!differs(at, k_page_size))
            continue;
        std::memcpy(&page, changed.data() + at, sizeof page);
        if (page.head.checksum == page_checksum(page, h.generation))
            return true;
    }
    return differs(h.policy_offset, h.policy_size) && section_holds(h.policy_offset, h.policy_size);
}

// The keyring's bytes, changed as the input says: single bytes, overwritten and moved pieces, a cut.
[[nodiscard]] inline std::string change(const SoundKeyring& sound, Decisions& in) {
    std::string out = sound.bytes;
    const auto anywhere = [&] {
        // Parts that matter are small: half of the changes go to the first kB (header, directory).
        const std::uint32_t high = in.byte();
        const std::size_t where = high << 16 | in.u16();
        return (where & 1) != 0 ? (where >> 1) % std::min<std::size_t>(1024, out.size())
                                : (where >> 1) % out.size();
    };
    for (int changes = 0; changes < 16 && !in.done() && !out.empty(); ++changes) {
        const std::size_t at = anywhere();
        switch (in.below(6)) {
        case 0:
        case 1:
            out[at] = static_cast<char>(out[at] ^ (1 << in.below(8)));
            break;
        case 2:
        case 3: {
            const std::string_view bytes = in.text().substr(0, out.size() - at);
            out.replace(at, bytes.size(), bytes);
            break;
        }
        case 4: { // a piece of it in another place
            const std::size_t from = anywhere();
            const std::size_t size = std::min<std::size_t>({in.u16(), out.size() - at, out.size() - from});
            out.replace(at, size, std::string(out, from, size));
            break;
        }
        default:
            out.resize(at);
        }
    }
    return out;
}

// Makes the header's checksum right, so that what lies behind it is reached.
inline void forge_header(std::string& bytes) {
    keyring::Header header{};
    if (bytes.size() < sizeof header)
        return;
    std::memcpy(&header, bytes.data(), sizeof header);
    header.checksum = keyring::header_checksum(header);
    std::memcpy(bytes.data(), &header, sizeof header);
}

inline void check_keyring(std::string_view input) {
    static const SoundKeyring keyrings[] = {SoundKeyring(0), SoundKeyring(3), SoundKeyring(90)};
    Decisions in(input);
    const std::uint8_t how = in.byte();
    const SoundKeyring& sound = keyrings[how % 3];
    std::string changed = change(sound, in);
    if ((how & 0x80) != 0)
        forge_header(changed);
    const bool forged = is_forged(sound, changed);
    const auto reader = sound.open_with(changed);
    if (!reader) {
        REQUIRE(reader.error().code == Errc::damaged || reader.error().code == Errc::truncated ||
                reader.error().code == Errc::version);
        REQUIRE(changed != sound.bytes);
        return;
    }
    REQUIRE(forged || changed.compare(0, sizeof sound.header, sound.bytes, 0, sizeof sound.header) == 0);
    const auto policy = reader->policy();
    REQUIRE(forged || !policy || *policy == keyring::Policy{});

    std::map<keyring::Fingerprint, keyring::KeyRecord> shown;
    const auto verified = reader->verify(
        [](void* to, const keyring::KeyRecord& key) {
            (*static_cast<decltype(shown)*>(to))[key.fingerprint] = key;
        },
        &shown);
    REQUIRE(verified.has_value() || changed != sound.bytes);
    if (verified)
        REQUIRE(forged || shown.size() == sound.keys.size());

    const auto ask = [&](const keyring::Fingerprint& fp, const keyring::KeyRecord* model) {
        const auto got = reader->find(fp);
        if (verified) { // what was checked before it was put in place does not surprise a login
            REQUIRE(got && got->has_value() == shown.contains(fp));
            REQUIRE(!*got || **got == shown[fp]);
        }
        if (!got || forged)
            return;
        REQUIRE(got->has_value() == (model != nullptr)); // neither a false miss nor a false hit
        REQUIRE(model == nullptr || **got == *model);
    };
    for (const keyring::KeyRecord& key : sound.keys) {
        ask(key.fingerprint, &key);
        keyring::Fingerprint neighbour = key.fingerprint;
        neighbour.back() ^= 1;
        if (key.fingerprint[0] % 4 == 0)
            ask(neighbour, nullptr);
    }
    keyring::Fingerprint end{};
    ask(end, nullptr);
    end.fill(0xff);
    ask(end, nullptr);
}

} // namespace gate::fuzz
