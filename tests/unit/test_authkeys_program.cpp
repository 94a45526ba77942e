// authkeys as sshd runs it: the real program in a process of its own, without privilege. Every exit status
// that the manual documents, and nothing on standard output unless the status is 0.
#include "tests/unit/support_keyring.h"

#include "authkeys_cmd/status.h"

#include <chrono>
#include <csignal>
#include <ctime>
#include <grp.h>
#include <sched.h>
#include <set>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

using namespace gate;
using namespace gate::keyring;
using authkeys::Status;
using test::TempDir;

namespace {

constexpr uid_t k_nobody = 65534;
constexpr std::int64_t k_far = 4'102'444'800; // 2100-01-01

struct Outcome {
    int status = -1; // exit status, or 1000 + signal
    std::string output;
    std::vector<std::string> events; // what came to /dev/log
};

enum class Out { pipe, full_pipe, closed_pipe, device_full, no_descriptor };

struct Run {
    Out out = Out::pipe;
    bool as_root = false;
    bool in_group_0 = false;
    rlim_t memory = 0; // bytes of address space, 0 = no limit
};

[[nodiscard]] std::string program() {
    return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "../../authkeys").string();
}

// A copy of the program that nobody can reach, wherever the build directory is.
[[nodiscard]] const std::string& reachable_program() {
    static const TempDir dir;
    static const std::string path = [] {
        CHECK(::chmod(dir.path().c_str(), 0755) == 0);
        std::filesystem::copy_file(program(), dir / "authkeys");
        return dir / "authkeys";
    }();
    return path;
}

// Stands where the system's logger would: in a mount namespace of the child's own, /dev holds nothing but a
// link to this socket. So the machine's log stays clean, and a test sees what would have been in it.
class Logger {
  public:
    Logger() : path_(dir_ / "log"), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        CHECK(path_.size() < sizeof address.sun_path);
        std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
        CHECK(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        CHECK(::chmod(path_.c_str(), 0777) == 0 && ::chmod(dir_.path().c_str(), 0755) == 0);
        const pid_t pid = ::fork();
        if (pid == 0)
            ::_exit(take_place() ? 0 : 1);
        int status = 0;
        CHECK(::waitpid(pid, &status, 0) == pid);
        works_ = status == 0;
        if (!works_)
            print_message("no mount namespace here: events go to the machine's logger, unchecked\n");
    }
    // In the child, before its privileges go.
    [[nodiscard]] bool take_place() const {
        const uid_t uid = ::geteuid();
        const gid_t gid = ::getegid();
        if (::unshare(uid == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0)
            return false;
        if (uid != 0 && !(put("/proc/self/uid_map", map(uid)) && put("/proc/self/setgroups", "deny") &&
                          put("/proc/self/gid_map", map(gid))))
            return false;
        return ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
               ::mount("none", "/dev", "tmpfs", 0, "mode=755") == 0 &&
               ::symlink(path_.c_str(), "/dev/log") == 0;
    }
    [[nodiscard]] std::vector<std::string> drain() const {
        std::vector<std::string> out;
        char block[8192];
        for (ssize_t n = 0; (n = ::recv(socket_.get(), block, sizeof block, 0)) >= 0;)
            out.emplace_back(block, static_cast<std::size_t>(n));
        return out;
    }
    [[nodiscard]] bool works() const { return works_; }

  private:
    [[nodiscard]] static std::string map(id_t id) {
        return std::to_string(id) + " " + std::to_string(id) + " 1";
    }
    [[nodiscard]] static bool put(const char* path, const std::string& text) {
        const Fd fd{::open(path, O_WRONLY | O_CLOEXEC)};
        return fd.valid() && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
    }
    TempDir dir_;
    std::string path_;
    Fd socket_;
    bool works_ = false;
};

[[nodiscard]] const Logger& logger() {
    static const Logger the_logger;
    return the_logger;
}

[[noreturn]] void child(const std::vector<std::string>& arguments, const Run& run, int out) {
    std::vector<char*> argv;
    std::string self = reachable_program();
    argv.push_back(self.data());
    std::vector<std::string> copies = arguments;
    for (std::string& a : copies)
        argv.push_back(a.data());
    argv.push_back(nullptr);
    if (out >= 0)
        ::dup2(out, STDOUT_FILENO);
    else
        ::close(STDOUT_FILENO);
    ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO); // as under sshd
    if (logger().works() && !logger().take_place())
        ::_exit(97);
    if (::geteuid() == 0 && !run.as_root) {
        const gid_t group = run.in_group_0 ? 0 : k_nobody;
        if (::setgroups(1, &group) != 0 || ::setresgid(k_nobody, k_nobody, k_nobody) != 0 ||
            ::setresuid(k_nobody, k_nobody, k_nobody) != 0)
            ::_exit(99);
    }
    if (run.memory != 0) {
        const rlimit limit{run.memory, run.memory};
        ::setrlimit(RLIMIT_DATA, &limit);
    }
    sigset_t all; // sshd may hand over a blocked mask
    ::sigfillset(&all);
    ::sigprocmask(SIG_BLOCK, &all, nullptr);
    ::execv(argv[0], argv.data());
    ::_exit(98);
}

[[nodiscard]] Outcome run(const std::vector<std::string>& arguments, const Run& how = {}) {
    (void)reachable_program(); // not for the first time in a child
    (void)logger();
    int ends[2];
    CHECK(::pipe2(ends, O_CLOEXEC) == 0);
    Fd from{ends[0]};
    Fd to{ends[1]};
    if (how.out == Out::full_pipe) {
        CHECK(::fcntl(to.get(), F_SETFL, O_NONBLOCK) == 0);
        const std::string block(4096, 'x');
        while (::write(to.get(), block.data(), block.size()) > 0) {
        }
        CHECK(::fcntl(to.get(), F_SETFL, 0) == 0);
    } else if (how.out == Out::closed_pipe) {
        from.reset();
    } else if (how.out == Out::device_full) {
        to.reset(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    }
    const pid_t pid = ::fork();
    if (pid == 0)
        child(arguments, how, how.out == Out::no_descriptor ? -1 : to.get());
    to.reset();
    int status = 0;
    CHECK(::waitpid(pid, &status, 0) == pid);
    Outcome outcome;
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    outcome.events = logger().drain();
    if (how.out == Out::pipe) {
        char block[4096];
        for (ssize_t n = 0; (n = ::read(from.get(), block, sizeof block)) > 0;)
            outcome.output.append(block, static_cast<std::size_t>(n));
    }
    return outcome;
}

// A keyring that everyone may read, and the questions to it.
struct Sample {
    TempDir dir;
    std::string path;
    KeyRecord active, revoked, odd_id, odd_type, wrong_blob, odd_network, disabled, expired, not_yet, bounded;
    std::string bytes;

    Sample() : path(dir / "keyring") {
        CHECK(::chmod(dir.path().c_str(), 0755) == 0);
        auto random = test::seeded();
        Contents contents = test::make_contents(300, random, 7);
        for (KeyRecord& key : contents.keys)
            key.state = KeyState::active;
        contents.keys[3].state = KeyState::revoked;
        contents.keys[4].id = "k 4";
        contents.keys[5].type = "ssh-dss";
        contents.keys[6].blob = test::make_blob("ssh-rsa", random);
        contents.keys[7].from = {"192.0.2.1/24"};
        contents.keys[8].state = KeyState::disabled;
        contents.keys[8].revoke_reason = "on leave";
        contents.keys[9].expires_at = ::time(nullptr);
        contents.keys[10].not_before = ::time(nullptr) + 3600;
        contents.keys[11].not_before = ::time(nullptr);
        contents.keys[11].expires_at = k_far;
        contents.keys[11].from = {"192.0.2.0/24", "::1"};
        active = contents.keys[0];
        revoked = contents.keys[3];
        odd_id = contents.keys[4];
        odd_type = contents.keys[5];
        wrong_blob = contents.keys[6];
        odd_network = contents.keys[7];
        disabled = contents.keys[8];
        expired = contents.keys[9];
        not_yet = contents.keys[10];
        bounded = contents.keys[11];
        CHECK_OK(publish(path, std::move(contents), ::geteuid()));
        bytes = test::read_file(path);
    }

    // All that the program was seen to fail with.
    static std::set<Status>& seen() {
        static std::set<Status> statuses;
        return statuses;
    }
    // One event of key.refused with the rule of this status, if events can be seen here.
    static void told(const Outcome& got, Status status) {
        if (!logger().works())
            return;
        CHECK_EQ(got.events.size(), 1U);
        const std::string& event = got.events.front();
        const std::string rule(authkeys::describe(status).name);
        for (const std::string& part :
             {std::string("pandora-gate["), std::string("{\"event\":\"key.refused\""),
              "\"rule\":\"" + rule + "\"", "\"status\":" + std::to_string(static_cast<int>(status)),
              "-" + std::to_string(::getpid()) + "-"}) // the session: the parent of authkeys
            CHECK_MSG(event.find(part) != std::string::npos, part + " in " + event);
    }
    static void failed(const Outcome& got, Status status) {
        CHECK_EQ(got.output, "");
        CHECK_EQ(got.status, static_cast<int>(status));
        seen().insert(status);
        told(got, status);
    }

    [[nodiscard]] Outcome ask(const Fingerprint& fp, const Run& how = {},
                              const std::string& user = "pandora") const {
        return run({"--keyring", path, "--owner", std::to_string(::geteuid()), user, format_fingerprint(fp)},
                   how);
    }
    void refused(const KeyRecord& key, Status status) const { failed(ask(key.fingerprint), status); }
    // The same for a rule about this one key: the event names it, and says when or why.
    void refused_by_name(const KeyRecord& key, Status status, const std::string& detail) const {
        const Outcome got = ask(key.fingerprint);
        failed(got, status);
        for (const std::string& part :
             {"\"key\":\"" + key.id + "\"", "\"detail\":\"" + detail, std::string("\"remedy\":\""),
              std::string("\"reason\":\"the key "), std::string("\"generation\":7}")})
            CHECK_MSG(!logger().works() || got.events.front().find(part) != std::string::npos,
                      part + " in " + got.events.front());
    }
};

void an_active_key_is_one_line() {
    const Sample s;
    const Outcome got = s.ask(s.active.fingerprint);
    CHECK_EQ(got.status, 0);
    CHECK_EQ(got.output,
             "restrict ssh-ed25519 " + base64_encode(as_bytes(s.active.blob)) + " " + s.active.id + "\n");
    CHECK(got.events.empty());
}

void a_served_key_is_told_if_the_policy_asks_for_it() {
    const Sample s;
    auto random = test::seeded();
    Contents contents = test::make_contents(1, random, 8);
    contents.policy.audit_key_served = true;
    const Fingerprint fp = contents.keys.front().fingerprint;
    CHECK_OK(publish(s.path, std::move(contents), ::geteuid()));
    const Outcome got = s.ask(fp);
    CHECK_EQ(got.status, 0);
    CHECK(!got.output.empty());
    if (logger().works()) {
        CHECK_EQ(got.events.size(), 1U);
        CHECK(got.events.front().find("{\"event\":\"key.served\"") != std::string::npos);
        CHECK(got.events.front().find("\"generation\":8") != std::string::npos);
    }
}

void an_unknown_key_is_status_0_and_silence() {
    const Sample s;
    auto random = std::mt19937_64{99};
    const Outcome got = s.ask(test::random_fingerprint(random));
    Sample::failed(got, Status::ok);
}

void another_account_is_status_0_and_silence() {
    const Sample s;
    for (const char* user : {"root", "pandora2", "pandor", "Pandora", "pandora\n"}) {
        const Outcome got = s.ask(s.active.fingerprint, {}, user);
        CHECK_EQ(got.status, 0);
        CHECK_EQ(got.output, "");
        CHECK(got.events.empty());
    }
}

void a_revoked_key_has_its_status() {
    const Sample s;
    s.refused_by_name(s.revoked, Status::revoked, "lost\"");
}

void a_disabled_key_has_its_status() {
    const Sample s;
    s.refused_by_name(s.disabled, Status::disabled, "on leave\"");
}

void a_key_after_its_end_has_its_status() {
    const Sample s;
    s.refused_by_name(s.expired, Status::expired, "20");
}

void a_key_before_its_beginning_has_its_status() {
    const Sample s;
    s.refused_by_name(s.not_yet, Status::not_yet, "20");
}

void a_key_within_its_dates_is_one_line_with_its_options() {
    const Sample s;
    const Outcome got = s.ask(s.bounded.fingerprint);
    CHECK_EQ(got.status, 0);
    CHECK_EQ(got.output, "restrict,from=\"192.0.2.0/24,::1\",expiry-time=\"21000101000000Z\" ssh-ed25519 " +
                             base64_encode(as_bytes(s.bounded.blob)) + " " + s.bounded.id + "\n");
    CHECK(got.events.empty());
}

void a_policy_for_an_older_sshd_leaves_the_end_to_us() {
    const Sample s;
    auto random = test::seeded();
    Contents contents = test::make_contents(2, random, 7);
    contents.policy.keys_expiry_option = false;
    contents.keys[0].expires_at = k_far;
    contents.keys[1].expires_at = ::time(nullptr);
    const std::vector<KeyRecord> keys = contents.keys;
    CHECK_OK(publish(s.path, std::move(contents), ::geteuid()));
    CHECK(s.ask(keys[0].fingerprint).output.starts_with("restrict ssh-ed25519 "));
    s.refused(keys[1], Status::expired);
}

// Faults of the keyring are told once a minute for each kind, whoever logs in; refusals of a key always.
void a_fault_of_the_keyring_is_told_once() {
    const Sample s;
    if (!logger().works())
        return;
    const TempDir state;
    const uid_t user = ::geteuid() == 0 ? k_nobody : ::geteuid();
    CHECK(::chown(state.path().c_str(), user, static_cast<gid_t>(-1)) == 0);
    const auto events = [&](const KeyRecord& key, Status status) {
        const Outcome got = run({"--keyring", s.path, "--owner", std::to_string(::geteuid()), "--state",
                                 state.path(), "pandora", format_fingerprint(key.fingerprint)});
        CHECK_EQ(got.output, "");
        CHECK_EQ(got.status, static_cast<int>(status));
        return got.events;
    };
    for (int i = 0; i < 3; ++i) {
        CHECK_EQ(events(s.revoked, Status::revoked).size(), 1U);
        CHECK_EQ(events(s.expired, Status::expired).size(), 1U);
    }
    CHECK(::chmod(s.path.c_str(), 0664) == 0);
    CHECK_EQ(events(s.active, Status::writable).size(), 1U);
    for (int i = 0; i < 3; ++i)
        CHECK_EQ(events(i == 1 ? s.revoked : s.active, Status::writable).size(), 0U);
    CHECK(::chmod(s.path.c_str(), 0644) == 0);
    test::write_file(s.path, std::string_view(s.bytes).substr(0, 500)); // another kind
    CHECK_EQ(events(s.active, Status::truncated).size(), 1U);
    CHECK_EQ(events(s.active, Status::truncated).size(), 0U);
    // A minute later: the time in the file, and how many were not told, are 8 bytes each.
    const std::string stamp = state / "keyring.writable";
    std::string bytes = test::read_file(stamp);
    CHECK_EQ(bytes.size(), 16U);
    std::int64_t told_at = 0;
    std::memcpy(&told_at, bytes.data(), sizeof told_at);
    told_at -= 60;
    std::memcpy(bytes.data(), &told_at, sizeof told_at);
    test::write_file(stamp, bytes, 0600);
    CHECK(::chmod(s.path.c_str(), 0664) == 0);
    const auto again = events(s.active, Status::writable);
    CHECK_EQ(again.size(), 1U);
    CHECK_MSG(again.front().find("\"repeated\":3}") != std::string::npos, again.front());
    // A directory that is not ours to trust: each is told.
    CHECK(::chmod(state.path().c_str(), 0777) == 0);
    CHECK_EQ(events(s.active, Status::writable).size(), 1U);
    CHECK_EQ(events(s.active, Status::writable).size(), 1U);
}

void a_key_that_would_spoil_the_line_is_not_printed() {
    const Sample s;
    s.refused(s.odd_id, Status::unprintable);
    s.refused(s.odd_type, Status::unprintable);
    s.refused(s.wrong_blob, Status::unprintable);
    s.refused(s.odd_network, Status::unprintable);
}

void wrong_arguments_have_their_status() {
    for (const auto& arguments : std::vector<std::vector<std::string>>{
             {}, {"pandora"}, {"pandora", "SHA256:x", "y"}, {"--nonsense", "x", "pandora", "SHA256:x"}}) {
        const Outcome got = run(arguments);
        Sample::failed(got, Status::usage);
    }
}

void a_fingerprint_that_is_not_sha256_has_its_status() {
    const Sample s;
    for (const char* fp : {"", "MD5:d4:1d:8c:d9:8f:00:b2:04:e9:80:09:98:ec:f8:42:7e", "%f", "SHA256:AAAA"}) {
        const Outcome got = run({"--keyring", s.path, "pandora", fp});
        Sample::failed(got, Status::fingerprint);
        for (const std::string part :
             {"FingerprintHash sha256", std::string_view(fp).starts_with("MD5") ? "MD5" : "not a"})
            CHECK_MSG(!logger().works() || got.events.front().find(part) != std::string::npos, part);
    }
}

void root_and_group_0_are_refused() {
    if (::geteuid() != 0)
        return; // cannot become them; the rule itself is tested beside this
    const Sample s;
    for (const Run how : {Run{.as_root = true}, Run{.in_group_0 = true}}) {
        const Outcome got = s.ask(s.active.fingerprint, how);
        Sample::failed(got, Status::privileged);
    }
}

void each_state_of_the_file_has_its_status() {
    const Sample s;
    const Outcome stranger = run({"--keyring", s.path, "--owner", std::to_string(::geteuid() + 1), "pandora",
                                  format_fingerprint(s.active.fingerprint)});
    Sample::failed(stranger, Status::wrong_owner);
    CHECK(::chmod(s.path.c_str(), 0664) == 0);
    s.refused(s.active, Status::writable);
    CHECK(::chmod(s.path.c_str(), 0644) == 0);
    test::write_file(s.path, std::string_view(s.bytes).substr(0, s.bytes.size() / 2));
    s.refused(s.active, Status::truncated);
    test::write_file(s.path, "");
    s.refused(s.active, Status::truncated);
    CHECK(::rename(s.path.c_str(), (s.dir / "real").c_str()) == 0);
    s.refused(s.active, Status::missing);
    CHECK(::symlink("real", s.path.c_str()) == 0);
    s.refused(s.active, Status::not_regular);
    ::unlink(s.path.c_str());
    CHECK(::mkfifo(s.path.c_str(), 0644) == 0);
    s.refused(s.active, Status::not_regular);
}

void a_keyring_that_may_not_be_read_has_its_status() {
    const Sample s;
    CHECK(::chmod(s.path.c_str(), 0200) == 0);
    s.refused(s.active, Status::system);
    CHECK(::chmod(s.path.c_str(), 0644) == 0);
}

void a_damaged_keyring_has_its_status() {
    const Sample s;
    std::string bytes = s.bytes;
    bytes[100] = static_cast<char>(bytes[100] ^ 1); // in the header
    test::write_file(s.path, bytes);
    s.refused(s.active, Status::damaged);
    test::write_file(s.path, s.bytes);
    CHECK_EQ(s.ask(s.active.fingerprint).status, 0);
}

void a_newer_keyring_has_its_status() {
    const Sample s;
    Header header{};
    std::memcpy(&header, s.bytes.data(), sizeof header);
    header.version = k_version + 1;
    header.checksum = header_checksum(header);
    std::string newer = s.bytes;
    std::memcpy(newer.data(), &header, sizeof header);
    test::write_file(s.path, newer);
    s.refused(s.active, Status::version);
}

// The whole of the reader's promise, seen from outside: the right line or a status, for any flipped bit.
void flipped_bits_never_look_like_an_unknown_key() {
    const Sample s;
    const std::string line = s.ask(s.active.fingerprint).output;
    auto random = test::seeded();
    std::uniform_int_distribution<std::size_t> any(0, s.bytes.size() * 8 - 1);
    int right = 0;
    int noticed = 0;
    for (int i = 0; i < 1'000; ++i) {
        // Half of the flips where this very look-up goes: header, directory, policy.
        const std::size_t bit = i % 2 == 0 ? any(random) : any(random) % (200 * 8);
        std::string bytes = s.bytes;
        bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
        test::write_file(s.path, bytes);
        const Outcome got = s.ask(s.active.fingerprint);
        if (got.status == 0)
            CHECK_MSG(got.output == line && got.events.empty(), "bit " + std::to_string(bit));
        else
            Sample::failed(got, static_cast<Status>(got.status));
        ++(got.status == 0 ? right : noticed);
    }
    CHECK(right > 0);
    CHECK(noticed > 0);
    print_message("1000 flips: %d right, %d noticed\n", right, noticed);
}

void a_reader_who_left_has_its_status() {
    const Sample s;
    for (const Out out : {Out::closed_pipe, Out::device_full, Out::no_descriptor})
        Sample::failed(s.ask(s.active.fingerprint, {.out = out}), Status::output);
}

// sshd has no deadline of its own: a helper that hangs would hang every login.
void a_reader_who_does_not_read_meets_the_deadline() {
    const Sample s;
    const auto start = std::chrono::steady_clock::now();
    const Outcome got = s.ask(s.active.fingerprint, {.out = Out::full_pipe});
    const auto took = std::chrono::steady_clock::now() - start;
    CHECK_EQ(got.status, static_cast<int>(Status::deadline));
    Sample::seen().insert(Status::deadline);
    CHECK(took >= std::chrono::milliseconds(1'000));
    CHECK(took < std::chrono::milliseconds(4'000));
}

void a_lack_of_memory_is_never_an_unknown_key() {
#ifdef __SANITIZE_ADDRESS__
    return; // its shadow memory is under the same limit
#else
    const Sample s;
    bool short_of_memory = false;
    bool internal = false;
    bool enough = false;
    // Below this the kernel cannot even start it.
    for (rlim_t memory = 64 * 1024; memory <= 512 * 1024; memory += 4096) {
        const Outcome got = s.ask(s.active.fingerprint, {.memory = memory});
        CHECK_EQ(got.status == 0, !got.output.empty());
        // 127: the loader's, before the program began.
        const bool documented = got.status == 0 || got.status == static_cast<int>(Status::internal);
        CHECK_MSG(documented || got.status == 127, std::to_string(got.status));
        internal = internal || got.status == static_cast<int>(Status::internal);
        (got.status == 0 ? enough : short_of_memory) = true;
    }
    CHECK(enough);
    CHECK(short_of_memory);
    CHECK(internal);
    Sample::seen().insert(Status::internal);
#endif
}

// What a static build may need: the C library, and nothing that a login would have to wait for.
void the_program_needs_the_c_library_only() {
    const std::string command = "LC_ALL=C readelf -d '" + program() + "'";
    FILE* const pipe = ::popen(command.c_str(), "r");
    CHECK(pipe != nullptr);
    std::string needed;
    char line[512];
    while (std::fgets(line, sizeof line, pipe) != nullptr) {
        if (std::strstr(line, "(NEEDED)") != nullptr)
            needed += line;
    }
    CHECK_EQ(::pclose(pipe), 0);
    for (const std::string_view never : {"crypto", "sqlite", "soci", "libpam", "fmt", "libcap"})
        CHECK_MSG(needed.find(never) == std::string::npos, needed);
    if (needed.find("libstdc++") != std::string::npos)
        return; // built with STATIC=0 or for the sanitizers
    std::size_t libraries = 0;
    for (std::size_t at = 0; (at = needed.find("(NEEDED)", at)) != std::string::npos; ++at)
        ++libraries;
    CHECK_MSG(libraries <= 2, needed);
    CHECK_MSG(needed.find("[libc.so") != std::string::npos, needed);
    CHECK_MSG(libraries == 1 || needed.find("[ld-") != std::string::npos, needed);
}

// The table of the manual is the table of the code.
void the_manual_lists_every_status() {
    const std::string page = test::read_file("doc/man/pandora-gate-authkeys.8");
    for (const authkeys::StatusText& s : authkeys::k_statuses) {
        const std::string row =
            ".It " + std::to_string(static_cast<int>(s.status)) + " " + std::string(s.name) + "\n";
        CHECK_MSG(page.find(row) != std::string::npos, row);
    }
    std::size_t rows = 0;
    for (std::size_t at = 0; (at = page.find("\n.It ", at)) != std::string::npos; ++at)
        rows += page[at + 5] >= '0' && page[at + 5] <= '9' ? 1U : 0U;
    CHECK_EQ(rows, authkeys::k_statuses.size());
}

// The last test: each row of that table was seen above.
void every_documented_status_was_produced() {
    for (const authkeys::StatusText& s : authkeys::k_statuses) {
#ifdef __SANITIZE_ADDRESS__
        if (s.status == Status::internal)
            continue; // see above
#endif
        if (s.status == Status::privileged && ::geteuid() != 0)
            continue; // see above
        CHECK_MSG(Sample::seen().contains(s.status), std::string(s.name));
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(an_active_key_is_one_line),
        GATE_TEST(a_served_key_is_told_if_the_policy_asks_for_it),
        GATE_TEST(an_unknown_key_is_status_0_and_silence),
        GATE_TEST(another_account_is_status_0_and_silence),
        GATE_TEST(a_revoked_key_has_its_status),
        GATE_TEST(a_disabled_key_has_its_status),
        GATE_TEST(a_key_after_its_end_has_its_status),
        GATE_TEST(a_key_before_its_beginning_has_its_status),
        GATE_TEST(a_key_within_its_dates_is_one_line_with_its_options),
        GATE_TEST(a_policy_for_an_older_sshd_leaves_the_end_to_us),
        GATE_TEST(a_fault_of_the_keyring_is_told_once),
        GATE_TEST(a_key_that_would_spoil_the_line_is_not_printed),
        GATE_TEST(wrong_arguments_have_their_status),
        GATE_TEST(a_fingerprint_that_is_not_sha256_has_its_status),
        GATE_TEST(root_and_group_0_are_refused),
        GATE_TEST(each_state_of_the_file_has_its_status),
        GATE_TEST(a_keyring_that_may_not_be_read_has_its_status),
        GATE_TEST(a_damaged_keyring_has_its_status),
        GATE_TEST(a_newer_keyring_has_its_status),
        GATE_TEST(flipped_bits_never_look_like_an_unknown_key),
        GATE_TEST(a_reader_who_left_has_its_status),
        GATE_TEST(a_reader_who_does_not_read_meets_the_deadline),
        GATE_TEST(a_lack_of_memory_is_never_an_unknown_key),
        GATE_TEST(the_program_needs_the_c_library_only),
        GATE_TEST(the_manual_lists_every_status),
        GATE_TEST(every_documented_status_was_produced),
    };
    return cmocka_run_group_tests_name("authkeys_program", tests, nullptr, nullptr);
}
