#include "gatectl/enrol/password.h"

#include "gatectl/enrol/code_file.h"
#include "gatectl/problem.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/text.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <shadow.h>
#include <span>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace gate::ctl {

namespace {

constexpr std::size_t k_buffer = 64 * 1024; // of a line of /etc/shadow

// Runs a program with nothing but these words, and with `input` on its standard input; what it says is not
// shown. Throws Problem unless it ends well.
void run_program(const std::vector<std::string>& words, const std::string& input) {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0)
        stop(Status::io, "{}", describe(fail_errno("cannot make a pipe").error()));
    Fd from(ends[0]);
    Fd to(ends[1]);
    std::vector<char*> argv;
    for (const std::string& word : words)
        argv.push_back(const_cast<char*>(word.c_str())); // execve(2) changes none
    argv.push_back(nullptr);
    char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    char* environment[] = {path, nullptr};
    const pid_t child = ::fork();
    if (child < 0)
        stop(Status::io, "{}", describe(fail_errno("cannot fork").error()));
    if (child == 0) {
        const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
        if (::dup2(from.get(), STDIN_FILENO) < 0 || null < 0 || ::dup2(null, STDOUT_FILENO) < 0 ||
            ::dup2(null, STDERR_FILENO) < 0)
            ::_exit(126);
        ::execve(argv.front(), argv.data(), environment);
        ::_exit(127);
    }
    from.reset();
    const auto before = std::signal(SIGPIPE, SIG_IGN); // it may end without reading
    const auto written = write_all(to.get(), std::as_bytes(std::span(input)));
    std::signal(SIGPIPE, before);
    to.reset();
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!written || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        stop(Status::io, "{} failed (status {}): run it by hand to see why", words.front(),
             WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

[[nodiscard]] PasswordState look(const std::string& user) {
    std::vector<char> buffer(k_buffer);
    spwd entry{};
    spwd* found = nullptr;
    const int error = ::getspnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found == nullptr)
        stop(Status::unavailable, "the account {} has no line in /etc/shadow{}", escape_visible(user),
             error == EACCES ? " that you may read (run as root)" : "");
    if (found->sp_pwdp == nullptr || found->sp_pwdp[0] == '\0')
        return PasswordState::empty;
    return found->sp_pwdp[0] == '*' || found->sp_pwdp[0] == '!' ? PasswordState::locked : PasswordState::set;
}

void set(const std::string& user, const std::string& password) {
    run_program({"/usr/sbin/chpasswd"},
                user + ':' + password + '\n'); // not on a command line, which others see
}

void lock(const std::string& user) {
    run_program({"/usr/sbin/usermod", "-p", "*", user}, {});
}

} // namespace

const Passwords& system_passwords() {
    static constexpr Passwords k_system{look, set, lock};
    return k_system;
}

std::string strong_password() {
    std::array<std::uint8_t, enrol::k_code_symbols * 5 / 8> random{};
    fill_random(random.data(), random.size());
    return enrol::format_code(random);
}

} // namespace gate::ctl
