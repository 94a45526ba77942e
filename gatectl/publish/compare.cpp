#include "gatectl/publish/compare.h"

#include <algorithm>
#include <fmt/format.h>

namespace gate::ctl {

namespace {

struct Digest {
    keyring::Fingerprint fingerprint{};
    std::uint64_t payload = 0;
};

[[nodiscard]] std::optional<std::vector<Digest>> digests_of(const keyring::Reader& reader) {
    constexpr std::uint64_t k_any_seed = 0; // the same for both, whatever their generations
    std::vector<Digest> out;
    out.reserve(reader.header().key_count);
    const auto read = reader.each([&out](const keyring::Reader::Stored& stored) {
        out.push_back({stored.fingerprint,
                       keyring::section_checksum(stored.payload.data(), stored.payload.size(), k_any_seed)});
    });
    if (!read)
        return std::nullopt;
    std::sort(out.begin(), out.end(),
              [](const Digest& a, const Digest& b) { return a.fingerprint < b.fingerprint; });
    return out;
}

} // namespace

std::string mark_of(const keyring::Reader& reader) {
    return fmt::format("{:016x}", reader.header().checksum);
}

std::string mark_of(const std::string& keyring, uid_t owner) {
    const auto reader = keyring::Reader::open(keyring.c_str(), owner);
    return reader ? mark_of(*reader) : std::string();
}

std::optional<Published::Keys> compare(const keyring::Reader& before, const std::string& fresh, uid_t owner) {
    const auto reader = keyring::Reader::open(fresh.c_str(), owner);
    const auto old = digests_of(before);
    const auto now = reader ? digests_of(*reader) : std::nullopt;
    if (!old || !now)
        return std::nullopt;
    Published::Keys out;
    auto o = old->begin();
    auto n = now->begin();
    while (o != old->end() || n != now->end()) {
        if (n == now->end() || (o != old->end() && o->fingerprint < n->fingerprint)) {
            ++out.removed;
            ++o;
        } else if (o == old->end() || n->fingerprint < o->fingerprint) {
            ++out.added;
            ++n;
        } else {
            out.changed += o->payload != n->payload ? 1U : 0U;
            ++o;
            ++n;
        }
    }
    return out;
}

Changes revocations_of(const Present& present) {
    Changes out;
    if (!present.reader)
        return out;
    const auto read = present.reader->each([&out](const keyring::Reader::Stored& stored) {
        if (stored.state != keyring::KeyState::revoked)
            return;
        auto record = keyring::decode_record(stored.payload);
        if (!record)
            return;
        record->fingerprint = stored.fingerprint;
        out.insert_or_assign(stored.fingerprint, std::move(*record));
    });
    return read ? out : Changes{};
}

} // namespace gate::ctl
