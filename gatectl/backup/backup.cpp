#include "gatectl/backup/archive.h"
#include "gatectl/backup/collect.h"
#include "gatectl/backup/commands.h"
#include "gatectl/backup/files.h"
#include "gatectl/problem.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace gate::ctl {

namespace {

using namespace backup;

// The archive under a name of its own beside FILE, until it is complete and synced.
class Target {
  public:
    Target(std::string path, bool replace) : path_(std::move(path)), replace_(replace) {
        if (path_.empty())
            stop(Status::usage, "FILE must not be empty");
        demand_free();
        fresh_ = path_ + ".new-XXXXXX";
        fd_.reset(::mkostemp(fresh_.data(), O_CLOEXEC));
        if (!fd_.valid() || ::fchmod(fd_.get(), 0600) != 0)
            failed("cannot be made");
    }
    ~Target() {
        if (fd_.valid())
            ::unlink(fresh_.c_str());
    }
    Target(const Target&) = delete;
    Target& operator=(const Target&) = delete;
    [[nodiscard]] int fd() const { return fd_.get(); }

    void put_in_place() {
        sync_file(fd_.get(), path_);
        if (!replace_) {
            const int done = ::renameat2(AT_FDCWD, fresh_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE);
            if (done != 0 && errno == EEXIST)
                demand_free();
            if (done != 0 && errno != EINVAL && errno != ENOSYS)
                failed("cannot be put in place");
            if (done == 0)
                return finish();
            demand_free(); // a file system without it
        }
        if (::rename(fresh_.c_str(), path_.c_str()) != 0)
            failed("cannot be put in place");
        finish();
    }

  private:
    void finish() {
        fd_.reset();
        sync_directory(parent_of(path_));
    }
    void demand_free() const {
        struct stat st {};
        if (::lstat(path_.c_str(), &st) != 0)
            return;
        if (!S_ISREG(st.st_mode) || !replace_)
            stop(Status::cant_create, "{} is there already: {}", escape_visible(path_),
                 S_ISREG(st.st_mode) ? "give another name, or --force" : "give the name of a file");
    }
    [[noreturn]] void failed(const char* doing) const {
        const int error = errno;
        stop(status_of_errno(error), "the backup {} {}: {}", escape_visible(path_), doing,
             std::generic_category().message(error));
    }

    std::string path_;
    bool replace_;
    std::string fresh_;
    Fd fd_;
};

[[nodiscard]] std::string host_name() {
    utsname name{};
    return ::uname(&name) == 0 ? name.nodename : "?";
}

[[nodiscard]] std::string describe(const Manifest& manifest) {
    std::string out = fmt::format("store (generation {})", manifest.generation);
    for (const auto name : {k_keyring, k_config, k_pause})
        if (manifest.find(name) != nullptr)
            out += fmt::format(", {}", name);
    if (const std::size_t states = manifest.count(Kind::memory); states != 0)
        out += fmt::format(", state of {} key{}", states, states == 1 ? "" : "s");
    if (const std::size_t keys = manifest.count(Kind::host_key); keys != 0)
        out += fmt::format(", {} host key{}", keys, keys == 1 ? "" : "s");
    return out;
}

void tell_made(Context& context, const std::string& file, const Manifest& manifest) {
    audit::Line line(audit::Event::backup_made);
    line.text("operator", context.operator_name)
        .text("file", file)
        .number("generation", manifest.generation)
        .number("states", manifest.count(Kind::memory))
        .number("host_keys", manifest.count(Kind::host_key));
    tell(context, std::move(line));
}

} // namespace

std::string backup_command(Context& context, const BackupRequest& request) {
    const bool to_stdout = request.file == "-";
    if (to_stdout && ::isatty(STDOUT_FILENO) == 1)
        stop(Status::usage, "a backup is not for a terminal: name a file");
    if (request.host_keys)
        demand_own_host_keys(context);
    std::optional<Target> target;
    if (!to_stdout)
        target.emplace(request.file, request.force);
    Manifest manifest{.program = GATE_VERSION,
                      .made_at = wall_clock_us() / 1'000'000,
                      .host = host_name(),
                      .generation = 0,
                      .schema = 0,
                      .members = {}};
    demand_store(context);
    const Scratch scratch(context.store, ".backup", "backup");
    Collection collection(scratch, manifest);
    add_store(context, scratch, manifest, collection);
    add_keyring(context, collection);
    add_config(context, collection);
    if (request.full) {
        add_pause(context, collection);
        add_memories(context, collection);
    }
    if (request.host_keys)
        add_host_keys(context, collection);
    ArchiveWriter archive(to_stdout ? STDOUT_FILENO : target->fd(), request.file.ends_with(".gz"),
                          escape_visible(request.file));
    collection.write(archive);
    if (target)
        target->put_in_place();
    tell_made(context, request.file, manifest);
    if (to_stdout)
        return {};
    return fmt::format("backed up to {}: {}\n", escape_visible(request.file), describe(manifest));
}

} // namespace gate::ctl
