// edit_keyring IN OUT KEY[,KEY]... FIELD=VALUE...: the keyring IN with fields of those keys (key ids) set, as
// OUT: for tests of what the login path makes of them. Fields: state (active, revoked, disabled), reason,
// not_before, expires_at (seconds since the epoch), from (one address or network; those that were there go),
// quota_files, quota_bytes, max_file_size, id. Nothing is looked at: a test may want what no
// administrator could have. Generation and policy stay.
#include "lib/base/text.h"
#include "lib/keyring/reader.h"
#include "lib/keyring/writer.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <unistd.h>

namespace {

using namespace gate;

[[noreturn]] void die(std::string_view what, std::string_view which = {}) {
    std::fprintf(stderr, "edit_keyring: %.*s %.*s\n", static_cast<int>(what.size()), what.data(),
                 static_cast<int>(which.size()), which.data());
    std::exit(1);
}

[[nodiscard]] std::uint64_t number(std::string_view value) {
    const auto n = parse_u64(value);
    if (!n)
        die("not a number:", value);
    return *n;
}

[[nodiscard]] keyring::KeyState state(std::string_view value) {
    if (value == "active")
        return keyring::KeyState::active;
    if (value == "revoked")
        return keyring::KeyState::revoked;
    if (value == "disabled")
        return keyring::KeyState::disabled;
    die("no such state:", value);
}

void set(keyring::KeyRecord& key, std::string_view field, std::string_view value) {
    if (field == "state")
        key.state = state(value);
    else if (field == "reason")
        key.revoke_reason = value;
    else if (field == "id")
        key.id = value;
    else if (field == "from")
        key.from.emplace_back(value);
    else if (field == "not_before")
        key.not_before = static_cast<std::int64_t>(number(value));
    else if (field == "expires_at")
        key.expires_at = static_cast<std::int64_t>(number(value));
    else if (field == "quota_files")
        key.limits.quota_files = static_cast<std::uint32_t>(number(value));
    else if (field == "quota_bytes")
        key.limits.quota_bytes = number(value);
    else if (field == "max_file_size")
        key.limits.max_file_size = number(value);
    else
        die("no such field:", field);
}

[[nodiscard]] keyring::Contents read(const char* path) {
    const auto reader = keyring::Reader::open(path, ::getuid());
    if (!reader)
        die(reader.error().what);
    auto policy = reader->policy();
    if (!policy)
        die(policy.error().what);
    keyring::Contents contents;
    contents.generation = reader->header().generation;
    contents.created = static_cast<std::int64_t>(reader->header().created);
    contents.policy = std::move(*policy);
    const auto keep = [](void* to, const keyring::KeyRecord& key) {
        static_cast<keyring::Contents*>(to)->keys.push_back(key);
    };
    if (const auto whole = reader->verify(keep, &contents); !whole)
        die(whole.error().what);
    return contents;
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 4)
        die("usage: edit_keyring IN OUT KEY[,KEY]... FIELD=VALUE...");
    keyring::Contents contents = read(argv[1]);
    std::string_view ids = argv[3];
    while (!ids.empty()) {
        const std::string_view id = ids.substr(0, ids.find(','));
        ids.remove_prefix(std::min(id.size() + 1, ids.size()));
        const auto key = std::find_if(contents.keys.begin(), contents.keys.end(),
                                      [&](const keyring::KeyRecord& k) { return k.id == id; });
        if (key == contents.keys.end())
            die("no such key:", id);
        key->from.clear();
        for (int i = 4; i < argc; ++i) {
            const std::string_view argument = argv[i];
            const std::size_t equals = std::min(argument.find('='), argument.size() - 1);
            set(*key, argument.substr(0, equals), argument.substr(equals + 1));
        }
    }
    if (const auto done = keyring::publish(argv[2], std::move(contents), ::getuid()); !done)
        die(done.error().what);
    return 0;
}
