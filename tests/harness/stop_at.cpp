// Ends a process at its n-th system call, whichever that is, or lets that call fail: what kill -9, a bug or a
// bad disk can do, at every moment there is.
//
//     stop_at DEPTH N kill|ERRNO COMMAND ARG...
//
// N may be `NUMBER:K` too, the K-th call of that number, or `NUMBER:K+`, whatever comes after that one.
// DEPTH: 0 the command itself, 1 what it forks, 2 what that forks; only the first process at that depth
// counts. The call has not been made when the process is killed; one that fails is not made either. The last
// line of stdout is `NUMBER-OF-CALLS NUMBER-OF-THE-CALL STATUS`: how many calls that process began, which one
// was met (-1: there was no n-th), and the exit status of the command (128 + signal).
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __x86_64__

namespace {

constexpr int k_failed = 125;
constexpr int k_syscall_stop = SIGTRAP | 0x80;

struct Tracee {
    int depth = 0;
    bool in_call = false;
    bool spoilt = false; // the call that it is in fails
};

struct Plan {
    int depth;
    long call;   // from 1; 0: not known yet
    long number; // -1: of any
    long nth;    // of that number; what comes `after` it
    bool after;
    int error; // 0: kill
};

class Tracer {
  public:
    explicit Tracer(const Plan& plan) : plan_(plan) {}

    int follow(pid_t command) {
        tracees_[command] = {};
        int result = k_failed;
        int status = 0;
        for (pid_t pid = 0; (pid = ::waitpid(-1, &status, __WALL)) > 0;) {
            if (WIFEXITED(status) || WIFSIGNALED(status)) {
                tracees_.erase(pid);
                if (pid == command)
                    result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
                continue;
            }
            if (tracees_.count(pid) == 0) { // its parent's event comes in a moment, and says how deep it is
                early_.insert(pid);
                continue;
            }
            ::ptrace(PTRACE_SYSCALL, pid, nullptr, handle(pid, status));
        }
        std::printf("%ld %ld %d\n", calls_, met_, result);
        return 0;
    }

  private:
    // The signal that it gets.
    int handle(pid_t pid, int status) {
        const int event = status >> 16;
        if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
            unsigned long child = 0;
            ::ptrace(PTRACE_GETEVENTMSG, pid, nullptr, &child);
            tracees_[static_cast<pid_t>(child)].depth = tracees_[pid].depth + 1;
            if (early_.erase(static_cast<pid_t>(child)) != 0)
                ::ptrace(PTRACE_SYSCALL, static_cast<pid_t>(child), nullptr, 0);
            return 0;
        }
        if (event != 0 || WSTOPSIG(status) == SIGSTOP || WSTOPSIG(status) == SIGTRAP)
            return 0;
        if (WSTOPSIG(status) != k_syscall_stop)
            return WSTOPSIG(status);
        Tracee& tracee = tracees_[pid];
        tracee.in_call = !tracee.in_call;
        if (tracee.depth == plan_.depth && (chosen_ == 0 || chosen_ == pid))
            tracee.in_call ? enter(pid, tracee) : leave(pid, tracee);
        return 0;
    }

    void enter(pid_t pid, Tracee& tracee) {
        chosen_ = pid;
        ++calls_;
        user_regs_struct regs{};
        ::ptrace(PTRACE_GETREGS, pid, nullptr, &regs);
        if (static_cast<long>(regs.orig_rax) == plan_.number && --plan_.nth == 0)
            plan_.call = calls_ + (plan_.after ? 1 : 0);
        if (calls_ != plan_.call)
            return;
        met_ = static_cast<long>(regs.orig_rax);
        if (plan_.error == 0) {
            ::kill(pid, SIGKILL);
            return;
        }
        if (met_ == SYS_exit_group)
            return;
        tracee.spoilt = true;
        regs.orig_rax = SYS_getpid; // what every filter lets through
        ::ptrace(PTRACE_SETREGS, pid, nullptr, &regs);
    }

    void leave(pid_t pid, Tracee& tracee) {
        if (!tracee.spoilt)
            return;
        tracee.spoilt = false;
        user_regs_struct regs{};
        ::ptrace(PTRACE_GETREGS, pid, nullptr, &regs);
        regs.rax = static_cast<unsigned long long>(-static_cast<long long>(plan_.error));
        ::ptrace(PTRACE_SETREGS, pid, nullptr, &regs);
    }

    Plan plan_;
    std::map<pid_t, Tracee> tracees_;
    std::set<pid_t> early_; // stopped at their very beginning
    pid_t chosen_ = 0;
    long calls_ = 0;
    long met_ = -1;
};

} // namespace

int main(int argc, char** argv) {
    if (argc < 5) {
        std::fprintf(stderr, "usage: stop_at DEPTH N kill|ERRNO COMMAND ARG...\n");
        return k_failed;
    }
    const char* const nth = std::strchr(argv[2], ':');
    const Plan plan{.depth = std::atoi(argv[1]),
                    .call = nth == nullptr ? std::atol(argv[2]) : 0,
                    .number = nth == nullptr ? -1 : std::atol(argv[2]),
                    .nth = nth == nullptr ? 0 : std::atol(nth + 1),
                    .after = std::strchr(argv[2], '+') != nullptr,
                    .error = std::strcmp(argv[3], "kill") == 0 ? 0 : std::atoi(argv[3])};
    const pid_t command = ::fork();
    if (command == 0) {
        ::raise(SIGSTOP);
        ::execv(argv[4], argv + 4);
        ::_exit(k_failed);
    }
    int status = 0;
    if (::waitpid(command, &status, WUNTRACED) != command ||
        ::ptrace(PTRACE_SEIZE, command, nullptr,
                 PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                     PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) != 0) {
        std::perror("stop_at");
        return k_failed;
    }
    ::kill(command, SIGCONT);
    return Tracer(plan).follow(command);
}

#else

int main() {
    std::fprintf(stderr, "stop_at: not for this machine\n");
    return 125;
}

#endif
