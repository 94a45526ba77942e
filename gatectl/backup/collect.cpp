#include "gatectl/backup/collect.h"

#include "gatectl/account.h"
#include "gatectl/backup/files.h"
#include "gatectl/problem.h"
#include "gatectl/publish/change.h"
#include "gatectl/publish/config.h"
#include "gatectl/store/location.h"
#include "gatectl/store/schema.h"
#include "lib/base/file.h"
#include "lib/base/text.h"
#include "lib/spool/record_file.h"

#include <algorithm>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <unistd.h>

namespace gate::ctl::backup {

namespace {

constexpr mode_t k_public = 0644;
constexpr mode_t k_secret = 0600;
// Members that are no state: store, keyring, host keys.
constexpr std::size_t k_others = 64;
constexpr std::int64_t k_second_ns = 1'000'000'000;

// The names in an open directory that are members of that kind behind `prefix`, sorted.
[[nodiscard]] std::vector<std::string> list_members(int dir, std::string_view prefix, Kind kind, Kind other) {
    std::vector<std::string> names;
    const int again = ::openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const std::unique_ptr<DIR, int (*)(DIR*)> list(again < 0 ? nullptr : ::fdopendir(again), ::closedir);
    while (const dirent* entry = list ? ::readdir(list.get()) : nullptr) {
        const auto is = kind_of(std::string(prefix) + entry->d_name);
        if (is == kind || is == other)
            names.emplace_back(entry->d_name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

} // namespace

bool Collection::add(std::string_view name, int fd, mode_t mode) {
    const std::string path = scratch_ / ("m" + std::to_string(++copies_));
    const Fd to = create_private(path);
    Member member{.name = std::string(name), .mode = mode};
    Digest digest;
    const std::uint64_t cap = cap_of(kind_of(name).value());
    const bool read = each_piece(fd, [&](Bytes bytes) {
        member.size += bytes.size();
        if (member.size > cap)
            return;
        digest.add(bytes);
        write_to(to.get(), bytes, path);
    });
    if (!read)
        stop(Status::io, "{} cannot be read: {}", escape_visible(name),
             describe(fail_errno("reading failed").error()));
    if (member.size > cap)
        return false;
    struct stat st {};
    if (::fstat(fd, &st) == 0)
        member.mtime_ns = st.st_mtim.tv_sec * k_second_ns + st.st_mtim.tv_nsec;
    member.sha256 = digest.hex();
    manifest_.members.push_back(std::move(member));
    paths_.push_back(path);
    return true;
}

void Collection::take_back() {
    manifest_.members.pop_back();
    paths_.pop_back();
}

void Collection::write(ArchiveWriter& out) const {
    const std::string text = to_text(manifest_);
    Member head{.name = std::string(k_manifest), .size = text.size(), .mode = k_secret};
    head.mtime_ns = manifest_.made_at * k_second_ns;
    out.begin(head);
    out.write(as_bytes(text));
    for (std::size_t i = 0; i < paths_.size(); ++i) {
        const Fd fd{::open(paths_[i].c_str(), O_RDONLY | O_CLOEXEC)};
        out.begin(manifest_.members[i]);
        if (!fd.valid() || !each_piece(fd.get(), [&out](Bytes bytes) { out.write(bytes); }))
            stop(Status::io, "{} cannot be read again", escape_visible(manifest_.members[i].name));
    }
    out.finish();
}

void demand_store(const Context& context) {
    if (!store_exists(context.store, context.owner))
        stop(Status::no_input, "there is no store {}: nothing to back up", escape_visible(context.store));
}

void demand_own_host_keys(const Context& context) {
    if (context.owner != 0 && context.host_key_directory == k_default_host_keys)
        stop(Status::no_permission, "host keys are root's: run it as root, for instance with sudo");
}

// The store as it is at one moment, whatever others write meanwhile.
void add_store(const Context& context, const Scratch& scratch, Manifest& manifest, Collection& out) {
    const std::string copy = scratch / k_store;
    Store(context.store, context.owner, context.store_patience).copy_to(copy);
    if (::chmod(copy.c_str(), k_secret) != 0) // whatever the umask is
        stop(Status::io, "the copy of the store cannot be given its mode");
    {
        Store store(copy, context.owner, 0);
        store.check();
        manifest.generation = store.published().generation;
        manifest.schema = schema::k_version;
    }
    const Fd fd{::open(copy.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!fd.valid() || !out.add(k_store, fd.get(), k_secret))
        stop(Status::io, "the copy of the store cannot be read, or is too large");
    ::unlink(copy.c_str());
}

// After the store: what was revoked meanwhile comes along. One that does not verify would make the whole
// archive worthless.
void add_keyring(Context& context, Collection& out) {
    const auto verified = [&]() -> Result<void> {
        GATE_TRY(const Fd fd, open_trusted(context.keyring.c_str(), context.owner));
        if (!out.add(k_keyring, fd.get(), k_public))
            return fail(Errc::too_large, "it is too large");
        const auto reader = keyring::Reader::open(out.last_copy().c_str(), context.owner);
        Result<void> good = reader ? reader->verify() : std::unexpected(reader.error());
        if (!good)
            out.take_back();
        return good;
    }();
    if (!verified)
        context.remarks.push_back(fmt::format("the keyring {} is not in the backup: {}",
                                              escape_visible(context.keyring), describe(verified.error())));
}

void add_config(Context& context, Collection& out) {
    if (load_config(context.config, context.owner).missing) { // throws if restore would refuse it
        context.remarks.push_back(fmt::format("{} is not there, nor in the backup: the defaults apply",
                                              escape_visible(context.config)));
        return;
    }
    const auto fd = open_regular(context.config.c_str());
    if (!fd)
        stop(Status::io, "{}: {}", escape_visible(context.config), describe(fd.error()));
    if (!out.add(k_config, fd->get(), k_public))
        stop(Status::bad_data, "{} is too large", escape_visible(context.config));
}

void add_pause(const Context& context, Collection& out) {
    const auto fd = open_trusted((state_directory(context) + '/' + k_pause_name).c_str(), context.owner);
    if (fd)
        static_cast<void>(out.add(k_pause, fd->get(), k_public));
}

// The directory is the account's: what is there is taken only if it is a plain file of the account.
void add_memories(Context& context, Collection& out) {
    const auto account = find_account(policy_in_force(context).account_user);
    const Fd dir{::open(memory_directory(context).c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!account || !dir.valid())
        return context.remarks.push_back("there is no state of keys, or no account of theirs: none is in the "
                                         "backup");
    std::vector<std::string> names = list_members(dir.get(), k_memory_prefix, Kind::memory, Kind::memory);
    std::size_t left_out = 0;
    if (names.size() > k_max_members - k_others) {
        left_out = names.size() - (k_max_members - k_others);
        names.resize(k_max_members - k_others);
    }
    for (const std::string& name : names) {
        const auto fd = spool::open_shared(dir.get(), name.c_str(), spool::Open::read, account->uid);
        if (!fd) {
            ++left_out;
            continue;
        }
        // So that no session is in the middle of writing. One that holds it for long has its reasons: an
        // entry that is torn is noticed by its checksum.
        static_cast<void>(spool::lock_for(fd->get(), spool::k_lock_patience_ms));
        if (!out.add(std::string(k_memory_prefix) + name, fd->get(), k_secret))
            ++left_out;
        spool::unlock(fd->get());
    }
    if (left_out != 0)
        context.remarks.push_back(fmt::format(
            "the state of {} key(s) is not in the backup: not plain files of {}", left_out, account->name));
}

void add_host_keys(const Context& context, Collection& out) {
    const Fd dir{::open(context.host_key_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    const auto names = list_members(dir.get(), k_host_key_prefix, Kind::host_key, Kind::host_key_public);
    for (const std::string& name : names) {
        const std::string path = context.host_key_directory + '/' + name;
        const auto fd = open_trusted(path.c_str(), context.owner);
        if (!fd)
            stop(Status::io, "the host key {}: {}", escape_visible(path), describe(fd.error()));
        const std::string member = std::string(k_host_key_prefix) + name;
        if (!out.add(member, fd->get(), kind_of(member) == Kind::host_key ? k_secret : k_public))
            stop(Status::bad_data, "{} is too large for a host key", escape_visible(path));
    }
    if (names.empty())
        stop(Status::no_input, "there are no host keys ssh_host_*_key in {}",
             escape_visible(context.host_key_directory));
}

} // namespace gate::ctl::backup
