// spawn_loop [--input FILE] RUNS COMMAND... [--- COMMAND...]...
//
// Starts each command RUNS times, taking turns, and prints a line a command, with blanks between: of the
// microseconds from before the fork to after the wait the median and the 99th percentile, the most memory
// that it held (kB), and what it wrote last. Standard output goes into a pipe that is read to its end first,
// as sshd does it. Run by root, it becomes nobody first: no group, no privilege. A command that does not exit
// with 0 ends everything. With --input each command reads that file, and what is timed ends with the first
// byte that it writes.
#include "lib/base/fd.h"
#include "lib/base/text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <grp.h>
#include <spawn.h>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

extern char** environ;

namespace {

using gate::Fd;

struct Command {
    std::vector<char*> argv;          // ends with nullptr
    std::vector<double> microseconds; // of every run
    long peak_kb = 0;
    std::string output;
};

constexpr uid_t k_nobody = 65534;
constexpr int k_memory_runs = 5; // what is resident differs a little with what the page cache maps around

[[nodiscard]] double now_us() {
    timespec ts{};
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return static_cast<double>(ts.tv_sec) * 1e6 + static_cast<double>(ts.tv_nsec) / 1e3;
}

[[nodiscard]] std::string read_to_end(int fd) {
    std::string out;
    std::array<char, 65536> block{};
    for (ssize_t n = 0; (n = ::read(fd, block.data(), block.size())) > 0;)
        out.append(block.data(), static_cast<std::size_t>(n));
    return out;
}

[[nodiscard]] bool run_once(Command& command, const std::string* input) {
    int ends[2];
    int given[2];
    if (::pipe2(ends, O_CLOEXEC) != 0 || ::pipe2(given, O_CLOEXEC) != 0)
        return false;
    const Fd input_end{given[0]};
    Fd feed{given[1]};
    Fd from{ends[0]};
    Fd to{ends[1]};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to.get(), STDOUT_FILENO);
    if (input != nullptr)
        posix_spawn_file_actions_adddup2(&actions, input_end.get(), STDIN_FILENO);
    if (input != nullptr && ::write(feed.get(), input->data(), input->size()) < 0) // fits into a pipe
        return false;
    const double start = now_us();
    pid_t pid = 0;
    const int failed = ::posix_spawn(&pid, command.argv[0], &actions, nullptr, command.argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) {
        std::fprintf(stderr, "spawn_loop: %s: %s\n", command.argv[0], std::strerror(failed));
        return false;
    }
    to.reset();
    char first = 0;
    const bool spoke = input == nullptr || ::read(from.get(), &first, 1) == 1;
    const double first_byte = now_us();
    feed.reset(); // some servers answer nothing once their input has ended
    command.output = read_to_end(from.get());
    int status = 0;
    ::waitpid(pid, &status, 0);
    command.microseconds.push_back((input == nullptr ? now_us() : first_byte) - start);
    if (!spoke)
        return false;
    if (status != 0)
        std::fprintf(stderr, "spawn_loop: %s: wait status %d\n", command.argv[0], status);
    return status == 0;
}

// Apart from the timed runs, and by fork(2): what posix_spawn(3) starts shares this program's memory until
// the exec, and the kernel counts that as the child's own peak. A forked child has only the written pages.
[[nodiscard]] bool measure_memory(Command& command) {
    const Fd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::dup2(null.get(), STDIN_FILENO);
        ::dup2(null.get(), STDOUT_FILENO);
        ::execv(command.argv[0], command.argv.data());
        ::_exit(127);
    }
    int status = 0;
    rusage used{};
    if (pid < 0 || ::wait4(pid, &status, 0, &used) != pid || status != 0)
        return false;
    command.peak_kb = std::max(command.peak_kb, used.ru_maxrss);
    return true;
}

[[nodiscard]] std::vector<Command> split(int argc, char** argv) {
    std::vector<Command> commands(1);
    for (int i = 2; i < argc; ++i) {
        if (std::string_view(argv[i]) == "---")
            commands.emplace_back();
        else
            commands.back().argv.push_back(argv[i]);
    }
    for (Command& command : commands)
        command.argv.push_back(nullptr);
    return commands;
}

[[nodiscard]] bool drop_privileges() {
    return ::geteuid() != 0 ||
           (::setgroups(0, nullptr) == 0 && ::setresgid(k_nobody, k_nobody, k_nobody) == 0 &&
            ::setresuid(k_nobody, k_nobody, k_nobody) == 0);
}

// The least value that at least `percent` of 100 do not exceed; the median is the 50th.
[[nodiscard]] double percentile(std::vector<double> values, std::size_t percent) {
    const std::size_t rank = std::min(values.size() - 1, values.size() * percent / 100);
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(rank);
    std::nth_element(values.begin(), at, values.end());
    return *at;
}

} // namespace

int main(int argc, char** argv) {
    std::string text;
    const std::string* input = nullptr;
    if (argc > 3 && std::string_view(argv[1]) == "--input") {
        const Fd file{::open(argv[2], O_RDONLY | O_CLOEXEC)};
        text = read_to_end(file.get());
        input = &text;
        argc -= 2;
        argv += 2;
    }
    const std::uint64_t runs = argc > 2 ? gate::parse_u64(argv[1]).value_or(0) : 0;
    std::vector<Command> commands = split(argc, argv);
    if (runs == 0 ||
        std::any_of(commands.begin(), commands.end(), [](const Command& c) { return c.argv.size() < 2; })) {
        std::fputs("usage: spawn_loop [--input FILE] RUNS COMMAND... [--- COMMAND...]...\n", stderr);
        return 64;
    }
    if (!drop_privileges())
        return 71;
    for (std::uint64_t i = 0; i < runs; ++i) {
        for (Command& command : commands) {
            if (!run_once(command, input))
                return 1;
        }
    }
    for (int i = 0; input == nullptr && i < k_memory_runs; ++i) {
        for (Command& command : commands) {
            if (!measure_memory(command))
                return 1;
        }
    }
    for (const Command& command : commands)
        std::printf("%.1f %.1f %ld %s\n", percentile(command.microseconds, 50),
                    percentile(command.microseconds, 99), command.peak_kb,
                    command.output.substr(0, command.output.find('\n')).c_str());
    return 0;
}
