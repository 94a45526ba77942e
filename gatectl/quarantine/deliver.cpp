#include "gatectl/quarantine/deliver.h"

#include "gatectl/problem.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/fs.h"
#include "lib/base/text.h"
#include "lib/spool/spool.h"

#include <csignal>
#include <fcntl.h>
#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gate::ctl {

namespace {

// What the child says: one of these, and the name or the reason.
constexpr char k_delivered = '+';
constexpr char k_failed = '-';
constexpr std::size_t k_max_answer = 4096;

[[nodiscard]] Result<void> become(const Account& account) {
    if (::geteuid() == account.uid)
        return {};
    if (::setgroups(account.groups.size(), account.groups.data()) != 0 ||
        ::setresgid(account.gid, account.gid, account.gid) != 0 ||
        ::setresuid(account.uid, account.uid, account.uid) != 0)
        return fail_errno("cannot become the account");
    return {};
}

[[nodiscard]] Result<spool::Published> deliver(const Account& account, const keyring::Policy& policy,
                                               const std::string& file, std::string_view content) {
    GATE_CHECK(become(account));
    Fs fs;
    GATE_TRY(spool::Spool spool, spool::Spool::open(policy, fs));
    GATE_TRY(spool::Reservation room, spool.reserve(content.size()));
    return spool.publish(std::move(room), file, std::as_bytes(std::span(content)));
}

[[noreturn]] void run_child(int answer_fd, const Account& account, const keyring::Policy& policy,
                            const std::string& file, std::string_view content) noexcept {
    try {
        const auto done = deliver(account, policy, file, content);
        const std::string answer = done ? k_delivered + done->name : k_failed + describe(done.error());
        if (write_all(answer_fd, std::as_bytes(std::span(answer))))
            ::_exit(0);
    } catch (...) { // the parent sees no answer
    }
    ::_exit(1);
}

} // namespace

std::string deliver_as(const Account& account, const keyring::Policy& policy, const std::string& file,
                       std::string_view content) {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0)
        stop(Status::io, "{}", describe(fail_errno("cannot make a pipe").error()));
    const Fd mine(ends[0]);
    Fd childs(ends[1]);
    const pid_t child = ::fork();
    if (child < 0)
        stop(Status::io, "{}", describe(fail_errno("cannot fork").error()));
    if (child == 0)
        run_child(childs.get(), account, policy, file, content);
    childs.reset();
    const auto answer = read_all(mine.get(), k_max_answer);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!answer || answer->empty() || !WIFEXITED(status))
        stop(Status::internal, "the process that delivers ended without a word");
    if (answer->front() != k_delivered)
        stop(Status::io, "it could not be delivered: {}", escape_visible(answer->substr(1), k_max_answer));
    return answer->substr(1);
}

} // namespace gate::ctl
