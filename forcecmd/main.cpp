// drop: the ForceCommand and login shell of an account that only receives data. drop(8).
//
// Two processes, split before the first byte of the client is read: the front (a child) parses what the
// client sends, the publisher (this process, whose status sshd reports) decides and creates files. A login
// that hands a public key over is one process, which has no files.

#include "forcecmd/confine.h"
#include "forcecmd/enrol/session.h"
#include "forcecmd/front/front.h"
#include "forcecmd/login.h"
#include "forcecmd/publisher/publisher.h"
#include "lib/base/file.h"

#include <csignal>
#include <exception>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using namespace gate;

void complain(std::string_view what, std::string_view remedy) {
    const std::string text = "pandora-gate: " + std::string(what) + "; " + std::string(remedy) + "\n";
    static_cast<void>(write_all(STDERR_FILENO, std::as_bytes(std::span(text))).has_value());
}

int fail_start(const Error& error) {
    complain(error.what, "try again later");
    return drop::k_exit_internal;
}

int be_front(drop::Channel channel, const drop::Login& login, pid_t publisher) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != publisher) // it went before the line above
        return drop::k_exit_internal;
    if (const auto confined = drop::confine_front(channel.fd(), login.policy); !confined)
        return fail_start(confined.error());
    return drop::run_front(std::move(channel), login);
}

// The client's descriptors are the front's: were they open here too, a client would not see the front close
// them.
void leave_client() {
    const Fd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (null.valid())
            ::dup2(null.get(), fd);
        else
            ::close(fd);
    }
}

int be_publisher(drop::Channel channel, const drop::Login& login, pid_t front) {
    leave_client();
    Fs fs;
    drop::Publisher publisher(std::move(channel), login, fs, front);
    return publisher.confine() ? publisher.serve() : drop::k_exit_internal;
}

int take_files(const drop::Login& login) {
    auto ends = drop::Channel::make_pair();
    if (!ends)
        return fail_start(ends.error());
    const pid_t self = ::getpid();
    const pid_t child = ::fork();
    if (child < 0)
        return fail_start({Errc::system, errno, "cannot start"});
    auto [ours, theirs] = std::move(*ends);
    if (child == 0) {
        { const drop::Channel closed = std::move(ours); }
        return be_front(std::move(theirs), login, self);
    }
    { const drop::Channel closed = std::move(theirs); }
    return be_publisher(std::move(ours), login, child);
}

int run(int argc, char** argv) {
    ::umask(077);
    drop::LoginContext context;
    const auto login = drop::read_login(argc, argv, context);
    if (!login) {
        complain(login.error().what, login.error().remedy);
        drop::report_refused_login(login.error(), context);
        return login.error().status;
    }
    if (const auto* enrolling = std::get_if<drop::EnrolLogin>(&*login))
        return drop::enrol::serve(*enrolling);
    const auto& by_key = std::get<drop::Login>(*login);
    return drop::enrol::is_rotation(by_key) ? drop::enrol::rotate(by_key) : take_files(by_key);
}

} // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception&) {
        return drop::k_exit_internal; // nothing was acknowledged that is not in data_in
    }
}
