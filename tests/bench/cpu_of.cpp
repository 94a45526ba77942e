// cpu_of FILE COMMAND...
//
// Runs the command with its own standard input and output, and appends a line to FILE: the seconds of
// processor time that it and all it waited for have used. Exits as the command did.
#include <cstdio>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

[[nodiscard]] double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fputs("usage: cpu_of FILE COMMAND...\n", stderr);
        return 64;
    }
    const pid_t child = ::fork();
    if (child == 0) {
        ::execvp(argv[2], argv + 2);
        ::_exit(127);
    }
    int status = 0;
    rusage used{};
    if (child < 0 || ::wait4(child, &status, 0, &used) != child)
        return 71;
    if (std::FILE* out = std::fopen(argv[1], "a")) {
        std::fprintf(out, "%.6f\n", seconds(used.ru_utime) + seconds(used.ru_stime));
        std::fclose(out);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
