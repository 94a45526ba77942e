#include "gatectl/setup/runner.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/text.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gate::ctl::setup {

namespace {

constexpr std::size_t k_max_output = 1 << 20; // sshd -T prints 5 kB
constexpr int k_not_started = 127;
constexpr std::size_t k_max_greeting = 255; // RFC 4253, 4.2
constexpr int k_between_ms = 50;            // two tries to connect

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

[[nodiscard]] Fd connected(std::uint16_t port) {
    Fd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!fd.valid() || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return {};
    return fd;
}

// What comes before the line's end, the connection's, or the deadline.
[[nodiscard]] std::string first_line(int fd, std::int64_t deadline) {
    std::string out;
    while (out.size() < k_max_greeting) {
        pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
        const auto left = deadline - monotonic_ms();
        if (left <= 0 || ::poll(&wait, 1, static_cast<int>(left)) <= 0)
            break;
        char byte = 0;
        if (::read(fd, &byte, 1) != 1 || byte == '\n')
            break;
        out += byte;
    }
    return out;
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

std::string Runner::greeting(std::uint16_t port, int milliseconds) {
    const std::int64_t deadline = monotonic_ms() + milliseconds;
    do {
        if (const Fd fd = connected(port); fd.valid())
            if (std::string line = first_line(fd.get(), deadline); !line.empty())
                return line;
        ::poll(nullptr, 0, k_between_ms);
    } while (monotonic_ms() < deadline);
    return {};
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
