#include "gatectl/setup/lock.h"

#include "gatectl/problem.h"
#include "gatectl/setup/manifest.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gate::ctl::setup {

Lock::Lock(Place& place) : place_(place), made_above_(!place.exists(GATE_STATEDIR)) {
    const std::string path = place.real(k_setup_state);
    for (;;) {
        place.make_private_directory(k_setup_state);
        fd_.reset(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!fd_.valid() && errno == ENOENT) // another setup has just finished with it
            continue;
        if (!fd_.valid())
            stop(status_of_errno(errno), "{} cannot be opened as a directory", k_setup_state);
        if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0)
            stop(Status::busy, "another setup is running: nothing was changed; try again when it has ended");
        struct stat ours {};
        struct stat there {};
        if (::fstat(fd_.get(), &ours) == 0 && ::lstat(path.c_str(), &there) == 0 &&
            ours.st_ino == there.st_ino)
            return;
    }
}

Lock::~Lock() {
    ::rmdir(place_.real(k_setup_state).c_str());
    if (made_above_)
        ::rmdir(place_.real(GATE_STATEDIR).c_str());
}

} // namespace gate::ctl::setup
