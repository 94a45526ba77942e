#include "gatectl/backup/existing.h"

#include "gatectl/backup/scratch.h"
#include "gatectl/problem.h"
#include "gatectl/store/engine.h"
#include "gatectl/store/location.h"
#include "lib/base/text.h"

#include <fcntl.h>
#include <unistd.h>

namespace gate::ctl::backup {

Existing::Existing(const std::string& path, uid_t owner, int patience) : path_(path) {
    if (!store_exists(path, owner))
        return;
    try {
        store_.emplace(path, owner, patience);
        transaction_.emplace(*store_, Store::Transaction::Kind::write);
    } catch (const engine::Locked&) {
        throw;
    } catch (const Problem& problem) {
        if (problem.status() != Status::unavailable)
            throw;
        transaction_.reset();
        store_.reset();
        trouble_ = problem.what();
    }
}

bool Existing::replace(const std::string& fresh, Kept& kept) {
    // What the engine has beside a database belongs to it: left here, it would be played into the new one.
    for (const char* beside : {"-journal", "-wal", "-shm"})
        if (::rename((path_ + beside).c_str(), (path_ + k_kept + beside).c_str()) != 0 && errno != ENOENT)
            stop(Status::io, "{}{} cannot be moved away: {}", escape_visible(path_), beside,
                 describe(fail_errno("renaming failed").error()));
    const bool was_there = kept.keep(path_);
    const Fd fd{::open(fresh.c_str(), O_RDONLY | O_CLOEXEC)};
    sync_file(fd.get(), fresh);
    if (::rename(fresh.c_str(), path_.c_str()) != 0)
        stop(Status::io, "the store {} cannot be put in place: {}", escape_visible(path_),
             describe(fail_errno("renaming failed").error()));
    sync_directory(parent_of(path_));
    transaction_.reset();
    store_.reset();
    return was_there;
}

} // namespace gate::ctl::backup
