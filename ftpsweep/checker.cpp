#include "ftpsweep/checker.h"

#include "ftpsweep/confine.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <utility>

namespace gate::sweep {

namespace {

// The slowest of what is known takes 0.1 s; this is for a checker that never answers.
constexpr int k_patience_ms = 20'000;

struct Answer {
    spool::Content content{};
    std::uint16_t has_agent = 0;
    std::uint32_t agent_size = 0;
    std::array<char, 256> agent{}; // longer than the name of any agent that a key can have
};

[[nodiscard]] Answer answer_of(const spool::Verdict& verdict) {
    Answer out{.content = verdict.content};
    if (verdict.agent_name) {
        out.has_agent = 1;
        out.agent_size = static_cast<std::uint32_t>(std::min(verdict.agent_name->size(), out.agent.size()));
        std::copy_n(verdict.agent_name->begin(), out.agent_size, out.agent.begin());
    }
    return out;
}

// The child. Its channel is its standard input and output: what its filter lets it read and write.
[[noreturn]] void run(const Fd& channel, const std::byte* buffer, pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const Fd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    if (::getppid() != parent || ::dup2(channel.get(), STDIN_FILENO) < 0 ||
        ::dup2(channel.get(), STDOUT_FILENO) < 0 || ::dup2(null.get(), STDERR_FILENO) < 0)
        ::_exit(1);
    spool::ContentChecker checker; // what it does lazily is done before
    if (!confine_checker())
        ::_exit(1);
    std::uint64_t size = 0;
    while (::read(STDIN_FILENO, &size, sizeof size) == sizeof size && size <= k_max_upload) {
        const Answer answer = answer_of(checker.check({buffer, size}));
        if (::write(STDOUT_FILENO, &answer, sizeof answer) != sizeof answer)
            break;
    }
    ::_exit(0);
}

} // namespace

Result<Checker> Checker::start() {
    const Fd memory{::memfd_create("upload", MFD_CLOEXEC)};
    if (!memory.valid() || ::ftruncate(memory.get(), k_max_upload) != 0)
        return fail_errno("cannot make the buffer for uploads");
    void* const ours = ::mmap(nullptr, k_max_upload, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
    if (ours == MAP_FAILED)
        return fail_errno("cannot map the buffer for uploads");
    const std::span buffer(static_cast<std::byte*>(ours), k_max_upload);
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return fail_errno("cannot make a socket pair");
    Fd mine{ends[0]};
    Fd theirs{ends[1]};
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0)
        return fail_errno("cannot start the checker");
    if (pid == 0) {
        mine.reset();
        if (::mprotect(ours, k_max_upload, PROT_READ) != 0)
            ::_exit(1);
        run(theirs, buffer.data(), parent);
    }
    return Checker(std::move(mine), buffer, pid);
}

Checker::Checker(Checker&& other) noexcept
    : channel_(std::move(other.channel_)), buffer_(std::exchange(other.buffer_, {})),
      pid_(std::exchange(other.pid_, -1)) {}

Checker::~Checker() {
    channel_.reset(); // its end, if it listens
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    if (!buffer_.empty())
        ::munmap(buffer_.data(), buffer_.size());
}

Result<spool::Verdict> Checker::check(std::size_t size) {
    const std::uint64_t question = size;
    if (::write(channel_.get(), &question, sizeof question) != sizeof question)
        return fail_errno("the checker is gone");
    pollfd waiting{.fd = channel_.get(), .events = POLLIN, .revents = 0};
    int ready = 0;
    while ((ready = ::poll(&waiting, 1, k_patience_ms)) < 0 && errno == EINTR) {
    }
    if (ready <= 0)
        return fail(Errc::closed, "the checker does not answer");
    Answer answer;
    if (::read(channel_.get(), &answer, sizeof answer) != sizeof answer)
        return fail(Errc::closed, "the checker ended");
    if (answer.content <= spool::Content::unchecked || answer.content >= spool::Content::last_)
        return fail(Errc::bad_input, "the checker said what is no verdict");
    spool::Verdict out{answer.content, std::nullopt};
    if (answer.has_agent != 0)
        out.agent_name.emplace(answer.agent.data(),
                               std::min<std::size_t>(answer.agent_size, answer.agent.size()));
    return out;
}

} // namespace gate::sweep
