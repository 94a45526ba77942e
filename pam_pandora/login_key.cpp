#include "pam_pandora/login_key.h"

#include "lib/base/sha256.h"
#include "lib/base/text.h"
#include "lib/keyring/reader.h"
#include "pam_pandora/explain.h"

#include <ctime>

namespace gate::pam {

namespace {

constexpr std::size_t k_max_methods = 64; // bytes; sshd knows five short names

std::optional<keyring::Fingerprint> fingerprint_of(std::string_view key) {
    const std::size_t space = key.find(' '); // between type and base64
    if (space == std::string_view::npos || key.size() > 2 * keyring::k_max_blob)
        return std::nullopt;
    const auto blob = base64_decode(key.substr(space + 1));
    if (!blob || blob->empty())
        return std::nullopt;
    return sha256(as_bytes(*blob));
}

} // namespace

AuthInfo parse_auth_info(std::string_view text) {
    AuthInfo info;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(line.size() < text.size() ? line.size() + 1 : line.size());
        const std::string_view method = line.substr(0, line.find(' '));
        if (method.empty())
            continue;
        if (method.size() < k_max_methods - info.methods.size()) {
            if (!info.methods.empty())
                info.methods += ',';
            info.methods += method;
        }
        if (method != "publickey")
            continue;
        if (++info.keys == 1 && line.size() > method.size())
            info.fingerprint = fingerprint_of(line.substr(method.size() + 1));
    }
    return info;
}

KnownKey look_up_key(const std::string& keyring_path, const std::optional<keyring::Fingerprint>& key,
                     bool ask_for_rotation) {
    KnownKey known;
    const auto reader = keyring::Reader::open(keyring_path.c_str());
    if (!reader) {
        known.trouble = explain(reader.error());
        return known;
    }
    known.generation = reader->header().generation;
    if (!key)
        return known;
    const auto record = reader->find(*key);
    if (!record) {
        known.trouble = explain(record.error());
        return known;
    }
    if (!*record) {
        known.state = "unknown";
        return known;
    }
    known.id = (*record)->id;
    const keyring::Standing standing = keyring::standing(**record, std::time(nullptr));
    known.good = standing == keyring::Standing::good;
    known.state = known.good ? "active" : keyring::describe(standing);
    if (known.good && ask_for_rotation) {
        const auto policy = reader->policy(); // one that cannot be read lets nobody do anything
        known.may_rotate = policy && policy->keys_rotation != keyring::Rotation::off;
    }
    return known;
}

} // namespace gate::pam
