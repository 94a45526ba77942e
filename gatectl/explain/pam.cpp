#include "gatectl/explain/pam.h"

#include "gatectl/problem.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sched.h>
#include <security/pam_appl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gate::ctl {

namespace {

constexpr std::size_t k_max_datagram = 8192; // no logger takes more
constexpr std::size_t k_max_answer = 4096;   // a status, its words, and what modules say to the user
constexpr std::size_t k_max_said = 20;       // lines of other modules

// A socket with a name, in a directory that goes with it.
class Ear {
  public:
    Ear() {
        if (::mkdtemp(directory_.data()) == nullptr)
            stop(Status::io, "cannot make a directory in /run: {}", describe(fail_errno("").error()));
        path_ = directory_ + "/log";
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path_.copy(address.sun_path, sizeof address.sun_path - 1);
        fd_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!fd_.valid() || ::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            stop(Status::io, "cannot make a socket: {}", describe(fail_errno("").error()));
    }
    Ear(const Ear&) = delete;
    Ear& operator=(const Ear&) = delete;
    ~Ear() {
        ::unlink(path_.c_str());
        ::rmdir(directory_.c_str());
    }
    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string directory_ = "/run/pandora-gate-explain.XXXXXX";
    std::string path_;
    Fd fd_;
};

extern "C" {
// Modules may say something; whoever asks them for an answer gets none.
static int converse(int count, const pam_message** messages, pam_response** responses, void* to) {
    for (int i = 0; i < count; ++i)
        if (messages[i]->msg != nullptr)
            static_cast<std::string*>(to)->append("\n").append(messages[i]->msg);
    *responses =
        static_cast<pam_response*>(std::calloc(static_cast<std::size_t>(count), sizeof(pam_response)));
    return *responses != nullptr ? PAM_SUCCESS : PAM_BUF_ERR;
}
}

// Empty, or why not. In a mount namespace of this process alone.
[[nodiscard]] std::string take_the_logger(const std::string& ear) {
    std::array<char, PATH_MAX> logger{};
    if (::realpath("/dev/log", logger.data()) == nullptr)
        return {}; // there is none: nothing is told to anybody
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount(ear.c_str(), logger.data(), nullptr, MS_BIND, nullptr) != 0)
        return std::string("it cannot be asked without telling the system's log: ") + std::strerror(errno);
    return {};
}

// "T<trouble>", or "A<code>\n<words>" and what modules said to the user, each behind a line end.
[[nodiscard]] std::string ask(const PamQuestion& question, const std::string& ear) {
    if (std::string trouble = take_the_logger(ear); !trouble.empty())
        return "T" + trouble;
    std::string said;
    const pam_conv conversation{converse, &said};
    pam_handle_t* handle = nullptr;
    int code = ::pam_start(question.service.c_str(), question.user.c_str(), &conversation, &handle);
    if (code != PAM_SUCCESS)
        return std::string("Tlibpam: ") + ::pam_strerror(handle, code);
    if (code = ::pam_set_item(handle, PAM_RHOST, question.address.c_str()); code == PAM_SUCCESS)
        code = ::pam_set_item(handle, PAM_TTY, "ssh"); // as sshd has it
    if (code == PAM_SUCCESS)
        code = ::pam_acct_mgmt(handle, 0);
    std::string out = "A" + std::to_string(code) + '\n' + ::pam_strerror(handle, code) + said;
    ::pam_end(handle, code);
    return out;
}

[[noreturn]] void be_asker(const PamQuestion& question, const std::string& ear, int to) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        ::dup2(null, fd);
    try {
        const std::string answer = ask(question, ear).substr(0, k_max_answer);
        static_cast<void>(write_all(to, std::as_bytes(std::span(answer))).has_value());
    } catch (...) {
    }
    ::_exit(0);
}

void read_answer(PamAnswer& answer, std::string_view text) {
    if (text.empty() || text.front() == 'T') {
        answer.trouble = text.empty() ? "its account phase gave no answer: a module may have crashed"
                                      : std::string(text.substr(1));
        return;
    }
    text.remove_prefix(1);
    for (int line = 0; !text.empty(); ++line) {
        const std::string_view one = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), one.size() + 1));
        if (line == 0)
            answer.code = std::atoi(std::string(one).c_str());
        else if (line == 1)
            answer.text = one;
        else if (!one.empty())
            answer.said.emplace_back(one);
    }
}

// Until the asker has closed its end.
void listen(PamAnswer& answer, const Ear& ear, int from) {
    std::string text;
    const std::int64_t end = monotonic_ms() + k_pam_patience_ms;
    std::array<char, k_max_datagram> block{};
    for (bool open = true; open && monotonic_ms() < end;) {
        std::array<pollfd, 2> fds{{{ear.fd(), POLLIN, 0}, {from, POLLIN, 0}}};
        ::poll(fds.data(), fds.size(), static_cast<int>(end - monotonic_ms()));
        ssize_t n = 0;
        if (fds[1].revents != 0) {
            n = ::read(from, block.data(), block.size());
            open = n > 0;
            text.append(block.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
        }
        while ((n = ::recv(ear.fd(), block.data(), block.size(), 0)) >= 0)
            hear(answer, {block.data(), static_cast<std::size_t>(n)});
    }
    read_answer(answer, text);
}

} // namespace

void hear(PamAnswer& answer, const std::string& datagram) {
    if (const std::size_t brace = datagram.find('{');
        brace != std::string::npos && datagram.find("\"login.refused\"") != std::string::npos) {
        const auto event = nlohmann::json::parse(datagram.substr(brace), nullptr, false);
        if (event.is_object() && event.value("event", "") == "login.refused") {
            answer.rule = event.value("rule", "");
            answer.reason = event.value("reason", "");
            answer.remedy = event.value("remedy", "");
            return;
        }
    }
    if (datagram.find("pam_pandora(") != std::string::npos || answer.said.size() >= k_max_said)
        return; // the same in words
    const std::size_t words = datagram.find("]: ");
    answer.said.push_back(words == std::string::npos ? datagram : datagram.substr(words + 3));
}

PamAnswer ask_pam(const PamQuestion& question) {
    PamAnswer answer;
    const Ear ear;
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        stop(Status::io, "cannot make a pipe: {}", describe(fail_errno("").error()));
    const Fd from{ends[0]};
    Fd to{ends[1]};
    const pid_t asker = ::fork();
    if (asker < 0)
        stop(Status::io, "cannot start a process: {}", describe(fail_errno("").error()));
    if (asker == 0)
        be_asker(question, ear.path(), to.get());
    to.reset();
    listen(answer, ear, from.get());
    ::kill(asker, SIGKILL);
    while (::waitpid(asker, nullptr, 0) < 0 && errno == EINTR) {
    }
    return answer;
}

} // namespace gate::ctl
