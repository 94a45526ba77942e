#include "gatectl/setup/runner.h"

#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/text.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gate::ctl::setup {

namespace {

constexpr std::size_t k_max_output = 1 << 20; // sshd -T prints 5 kB
constexpr int k_not_started = 127;

struct Pipe {
    Fd read_end, write_end;
    bool open() {
        int ends[2] = {-1, -1};
        if (::pipe2(ends, O_CLOEXEC) != 0)
            return false;
        read_end.reset(ends[0]);
        write_end.reset(ends[1]);
        return true;
    }
};

[[noreturn]] void become(const std::vector<std::string>& argv, int input, int output) {
    static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    static char locale[] = "LC_ALL=C";
    char* const environment[] = {path, locale, nullptr};
    std::vector<char*> words;
    for (const std::string& word : argv)
        words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    if (::dup2(input, 0) == 0 && ::dup2(output, 1) == 1 && ::dup2(output, 2) == 2)
        ::execve(words[0], words.data(), environment);
    ::_exit(k_not_started);
}

} // namespace

Ran Runner::run(const std::vector<std::string>& argv, std::string_view input) {
    Pipe in;
    Pipe out;
    if (argv.empty() || !in.open() || !out.open())
        return {.status = k_not_started, .text = "cannot make a pipe"};
    // All of it fits into the pipe: nobody waits for anybody.
    if (!write_all(in.write_end.get(), std::as_bytes(std::span(input))))
        return {.status = k_not_started, .text = "cannot write to a pipe"};
    in.write_end.reset();
    const pid_t child = ::fork();
    if (child < 0)
        return {.status = k_not_started, .text = "cannot fork"};
    if (child == 0)
        become(argv, in.read_end.get(), out.write_end.get());
    out.write_end.reset();
    Ran ran;
    if (auto text = read_all(out.read_end.get(), k_max_output))
        ran.text = std::move(*text);
    out.read_end.reset();
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return ran;
}

std::string words_of(const std::vector<std::string>& argv) {
    std::string out;
    for (const std::string& word : argv) {
        const bool first = out.empty();
        const std::string shown = escape_visible(first ? word.substr(word.rfind('/') + 1) : word);
        const bool quote = shown.empty() || shown.find_first_of(" *!$\"") != std::string::npos;
        out += (first ? "" : " ") + (quote ? '\'' + shown + '\'' : shown);
    }
    return out;
}

} // namespace gate::ctl::setup
