// Order: everything is read and checked; the store of here is locked, and the archive's copy learns what is
// revoked here; host keys, gate.toml and the store are put in place, each whole at every moment; what
// sessions remember; publish.
//   killed before the store is renamed   the old store is in place, and published
//   killed after it                      the new one is; the next command that publishes publishes it
// Either way, running the same restore again does the rest, and what it replaces is kept once, from before
// the first try.
#include "gatectl/backup/collect.h"
#include "gatectl/backup/commands.h"
#include "gatectl/backup/denials.h"
#include "gatectl/backup/existing.h"
#include "gatectl/backup/files.h"
#include "gatectl/backup/scratch.h"
#include "gatectl/backup/states.h"
#include "gatectl/backup/unpack.h"
#include "gatectl/problem.h"
#include "gatectl/publish/config.h"
#include "gatectl/publish/present.h"
#include "gatectl/publish/publish.h"
#include "gatectl/store/location.h"
#include "lib/base/file.h"
#include "lib/base/text.h"

#include <fcntl.h>
#include <unistd.h>

namespace gate::ctl {

namespace {

using namespace backup;
using Lines = std::vector<std::string>;

[[nodiscard]] Fd open_archive(const std::string& file) {
    if (file == "-")
        return Fd{::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)};
    auto fd = open_regular(file.c_str());
    if (!fd)
        stop(fd.error().code == Errc::missing ? Status::no_input : Status::io, "{}: {}", escape_visible(file),
             describe(fd.error()));
    return std::move(*fd);
}

// That a restore has begun to change something, for the one that finishes it.
class InProgress {
  public:
    explicit InProgress(const std::string& store)
        : path_(store + ".restoring"), resumed_(::access(path_.c_str(), F_OK) == 0) {}
    [[nodiscard]] bool resumed() const { return resumed_; }
    void begin() {
        if (resumed_)
            return;
        const Fd fd = create_private(path_);
        sync_file(fd.get(), path_);
        sync_directory(parent_of(path_));
    }
    void end() { ::unlink(path_.c_str()); }

  private:
    std::string path_;
    bool resumed_;
};

// What the last restore has kept is not what this one replaces.
void forget_kept(const Context& context, const Manifest& manifest, const RestoreRequest& request) {
    for (const char* beside : {"", "-journal", "-wal", "-shm"})
        ::unlink((context.store + k_kept + beside).c_str());
    if (manifest.find(k_config) != nullptr)
        ::unlink((context.config + k_kept).c_str());
    for (const Member& member : manifest.members)
        if (request.host_keys && member.name.starts_with(k_host_key_prefix))
            ::unlink(
                (context.host_key_directory + '/' + member.name.substr(k_host_key_prefix.size()) + k_kept)
                    .c_str());
}

// One file of root's, the old one kept.
void put(const Unpacked& archive, const Member& member, const std::string& path, const Look& look,
         Kept& kept) {
    static_cast<void>(kept.keep(path));
    const std::string directory = parent_of(path);
    const Fd dir{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    const auto done =
        dir.valid() ? install(archive.path_of(member), dir.get(), path.substr(path.rfind('/') + 1), look)
                    : fail_errno("cannot open its directory");
    if (!done)
        stop(done.error().sys_errno != 0 ? status_of_errno(done.error().sys_errno) : Status::io,
             "{} could not be restored: {}", escape_visible(path), describe(done.error()));
    sync_directory(directory);
}

[[nodiscard]] Look look_of(const Context& context, const Member& member, mode_t mode) {
    return {.uid = context.owner, .gid = ::getegid(), .mode = mode, .mtime_ns = member.mtime_ns};
}

void restore_host_keys(const Context& context, const Unpacked& archive, Kept& kept, Lines& said) {
    std::size_t count = 0;
    for (const Member& member : archive.manifest().members) {
        const Kind kind = kind_of(member.name).value();
        if (kind != Kind::host_key && kind != Kind::host_key_public)
            continue;
        const std::string path =
            context.host_key_directory + '/' + member.name.substr(k_host_key_prefix.size());
        put(archive, member, path, look_of(context, member, kind == Kind::host_key ? 0600 : 0644), kept);
        if (kind == Kind::host_key)
            ++count;
    }
    said.push_back(fmt::format("restored {} host key(s) in {}: reload sshd", count,
                               escape_visible(context.host_key_directory)));
}

void restore_config(const Context& context, const Unpacked& archive, Kept& kept, Lines& said) {
    const Member* member = archive.manifest().find(k_config);
    if (member == nullptr)
        return;
    put(archive, *member, context.config, look_of(context, *member, 0644), kept);
    said.push_back(fmt::format("restored {}", escape_visible(context.config)));
}

void restore_store(const Context& context, const Unpacked& archive, Existing& existing, Kept& kept,
                   Lines& said) {
    const bool was_there = existing.replace(archive.path_of(k_store), kept);
    said.push_back(fmt::format("restored the store {}", escape_visible(context.store)));
    if (was_there)
        said.back() += fmt::format("; the old one is {}{}", escape_visible(context.store), k_kept);
}

[[nodiscard]] std::string publish_restored(Context& context, InProgress& progress) {
    try {
        std::string said = publish_command(context);
        progress.end();
        return said;
    } catch (const Problem& problem) {
        progress.end();
        throw Problem(problem.status(),
                      fmt::format("the store is restored, but publishing it failed: {}; run "
                                  "`pandora-gate publish` when the cause is gone",
                                  problem.what()));
    }
}

void tell_restored(Context& context, const std::string& file, const Manifest& manifest, bool host_keys) {
    audit::Line line(audit::Event::backup_restored);
    line.text("operator", context.operator_name)
        .text("file", file)
        .text("made", time_text(manifest.made_at))
        .text("host", manifest.host)
        .number("states", manifest.count(Kind::memory))
        .number("host_keys", host_keys ? manifest.count(Kind::host_key) : 0);
    tell(context, std::move(line));
}

[[nodiscard]] std::string described(const Manifest& manifest) {
    std::string out = fmt::format("backup of {} by pandora-gate {}, {}: store of generation {}",
                                  escape_visible(manifest.host), escape_visible(manifest.program),
                                  time_text(manifest.made_at), manifest.generation);
    for (const auto name : {k_keyring, k_config, k_pause})
        if (manifest.find(name) != nullptr)
            out += fmt::format(", {}", name);
    return out + fmt::format(", state of {} key(s), {} host key(s)\n", manifest.count(Kind::memory),
                             manifest.count(Kind::host_key));
}

void demand_host_keys(const Manifest& manifest, const std::string& shown) {
    if (manifest.count(Kind::host_key) == 0)
        stop(Status::bad_data, "there are no host keys in {}: nothing was changed", shown);
}

[[nodiscard]] std::string change_everything(Context& context, const RestoreRequest& request,
                                            const Unpacked& archive, Existing& existing,
                                            const keyring::Policy& policy) {
    const Manifest& manifest = archive.manifest();
    InProgress progress(context.store);
    if (!progress.resumed())
        forget_kept(context, manifest, request);
    progress.begin();
    Kept kept(progress.resumed());
    Lines said;
    if (request.host_keys)
        restore_host_keys(context, archive, kept, said);
    restore_config(context, archive, kept, said);
    restore_store(context, archive, existing, kept, said);
    for (Lines lines : {restore_memories(context, archive, policy), restore_pause(context, archive)})
        said.insert(said.end(), lines.begin(), lines.end());
    if (!request.host_keys && manifest.count(Kind::host_key) != 0)
        said.emplace_back("left the host keys of the backup alone: --host-keys restores them");
    tell_restored(context, request.file, manifest, request.host_keys);
    std::string out = described(manifest);
    for (const std::string& line : said)
        out += line + '\n';
    return out + publish_restored(context, progress);
}

} // namespace

std::string restore_command(Context& context, const RestoreRequest& request) {
    const std::string shown = request.file == "-" ? "the archive" : escape_visible(request.file);
    if (request.host_keys)
        demand_own_host_keys(context);
    const Fd file = open_archive(request.file);
    MadeDirectories made; // before anything that is in them
    made.need(parent_of(parent_of(context.store)));
    made.need(parent_of(context.store), 0700);
    made.need(state_directory(context));
    made.need(parent_of(context.config));
    context.store = prepare_store_directory(context.store, context.owner);
    const Scratch scratch(context.store, ".restore", "restore");
    const Unpacked archive(file.get(), shown, scratch);
    if (request.host_keys)
        demand_host_keys(archive.manifest(), shown);
    auto policy = check_contents(context, archive, shown);
    if (!policy)
        policy = load_config(context.config, context.owner).policy;
    Existing existing(context.store, context.owner, context.store_patience);
    if (!existing.trouble().empty())
        context.remarks.push_back("the store of before could not be read: " + existing.trouble());
    keep_denials(context, archive, look_at(context.keyring, context.owner), existing.store());
    if (context.dry_run)
        return described(archive.manifest()) + "it can be restored; nothing was changed\n";
    return change_everything(context, request, archive, existing, *policy);
}

} // namespace gate::ctl
