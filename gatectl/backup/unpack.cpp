#include "gatectl/backup/unpack.h"

#include "gatectl/backup/archive.h"
#include "gatectl/backup/files.h"
#include "gatectl/problem.h"
#include "gatectl/publish/compile.h"
#include "gatectl/publish/config.h"
#include "gatectl/store/store.h"
#include "lib/base/file.h"
#include "lib/base/text.h"

namespace gate::ctl::backup {

namespace {

[[nodiscard]] std::string read_manifest(ArchiveReader& in, const std::string& shown) {
    if (!in.next() || in.name() != k_manifest)
        stop(Status::bad_data, "{} is not a backup of pandora-gate: it does not begin with {}", shown,
             k_manifest);
    if (in.size() > k_max_manifest)
        stop(Status::bad_data,
             "{} is damaged, nothing was changed: its list of members is larger than it "
             "can be",
             shown);
    std::string text;
    in.read([&text](Bytes bytes) { text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size()); });
    return text;
}

} // namespace

Unpacked::Unpacked(int fd, const std::string& shown, const Scratch& scratch)
    : scratch_(scratch), shown_(shown) {
    ArchiveReader in(fd, shown);
    manifest_ = parse_manifest(read_manifest(in, shown), shown);
    std::unordered_map<std::string_view, const Member*> awaited;
    for (const Member& member : manifest_.members)
        awaited.emplace(member.name, &member);
    while (in.next()) {
        const auto it = awaited.find(in.name());
        if (it == awaited.end())
            stop(Status::bad_data,
                 "{} is not what a backup wrote, nothing was changed: it holds \"{}\", which is not in its "
                 "list, or twice",
                 shown, escape_visible(in.name()));
        take(in, *it->second);
        awaited.erase(it);
    }
    if (!awaited.empty())
        stop(Status::bad_data,
             "{} is cut short or damaged, nothing was changed: the member {} is missing, with {} other(s)",
             shown, escape_visible(awaited.begin()->first), awaited.size() - 1);
}

void Unpacked::take(ArchiveReader& in, const Member& member) {
    const auto differs = [&](const char* what) {
        stop(Status::bad_data,
             "{} is damaged, nothing was changed: the member {} is not what was backed up: its {} differs",
             shown_, escape_visible(member.name), what);
    };
    if (in.size() != member.size)
        differs("size");
    const std::string path = path_of(member);
    const Fd to = create_private(path);
    Digest digest;
    in.read([&](Bytes bytes) {
        digest.add(bytes);
        write_to(to.get(), bytes, path);
    });
    if (digest.hex() != member.sha256)
        differs("SHA-256");
}

std::string Unpacked::path_of(const Member& member) const {
    return scratch_ / ("m" + std::to_string(&member - manifest_.members.data()));
}

std::string Unpacked::path_of(std::string_view name) const {
    const Member* member = manifest_.find(name);
    return member == nullptr ? std::string() : path_of(*member);
}

namespace {

// Also brings tables of an earlier version up, in the copy.
void check_store(const Context& context, const std::string& path) {
    Store store(path, context.owner, 0);
    const Store::Transaction transaction(store, Store::Transaction::Kind::read);
    store.check();
    store.each([](StoredKey& key) { static_cast<void>(compile(key)); });
}

[[nodiscard]] std::string without(std::string text, const std::string& part, std::string_view name) {
    for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += name.size())
        text.replace(at, part.size(), name);
    return text;
}

} // namespace

std::optional<keyring::Policy> check_contents(const Context& context, const Unpacked& archive,
                                              const std::string& shown) {
    const std::string store = archive.path_of(k_store);
    try {
        check_store(context, store);
    } catch (const Problem& problem) {
        stop(Status::bad_data, "{} cannot be restored, nothing was changed: {}", shown,
             without(problem.what(), store, "in it"));
    }
    if (const std::string keyring = archive.path_of(k_keyring); !keyring.empty()) {
        const auto reader = keyring::Reader::open(keyring.c_str(), context.owner);
        const auto good = reader ? reader->verify() : std::unexpected(reader.error());
        if (!good)
            stop(Status::bad_data, "{} cannot be restored, nothing was changed: the keyring in it: {}", shown,
                 describe(good.error()));
    }
    const std::string config = archive.path_of(k_config);
    if (config.empty())
        return std::nullopt;
    const auto fd = open_regular(config.c_str());
    const auto text = fd ? read_all(fd->get(), cap_of(Kind::config)) : std::unexpected(fd.error());
    if (!text)
        stop(Status::io, "{}: {}", shown, describe(text.error()));
    try {
        return parse_config(*text, "gate.toml");
    } catch (const Problem& problem) {
        stop(Status::bad_data, "{} cannot be restored, nothing was changed: {}", shown, problem.what());
    }
}

} // namespace gate::ctl::backup
