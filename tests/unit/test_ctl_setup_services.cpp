// What runs while `pandora-gate setup` works: services are as they were when it fails, the gate's own sshd
// answers before agents are sent to it, and nobody else sets up meanwhile.
#include "tests/unit/test_ctl_setup.h"

#include "gatectl/setup/lock.h"
#include "gatectl/setup/manifest.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>

using namespace gate;
using namespace gate::test;

namespace {

void start(FakeMachine& m, bool debian = true) {
    m.directory("/run/systemd/system");
    for (const char* unit : {debian ? "ssh.service" : "sshd.service", "rsyslog.service"})
        m.programs.running[unit] = m.programs.files_of(unit);
}

// What runs does so with the files that are there.
void nothing_is_stale(const FakeMachine& m, const std::string& when) {
    for (const auto& [unit, files] : m.programs.running)
        CHECK_MSG(files == m.programs.files_of(unit), when + ": " + unit);
}

void same_services(const FakeMachine& m, const std::map<std::string, std::string>& before,
                   const std::string& when) {
    nothing_is_stale(m, when);
    for (const auto& [unit, files] : m.programs.running)
        CHECK_MSG(before.contains(unit), when + ": runs: " + unit);
    for (const auto& [unit, files] : before)
        CHECK_MSG(m.programs.running.contains(unit), when + ": does not run: " + unit);
}

// Does `work` with a fault at every place, one after the other, on machines that `prepare` has made.
int with_faults(bool debian, const std::function<void(FakeMachine&)>& prepare,
                const std::function<void(FakeMachine&)>& work) {
    for (int at = 1;; ++at) {
        FakeMachine m(debian);
        start(m, debian);
        prepare(m);
        const auto files = m.all();
        const auto services = m.programs.running;
        m.fault = {.at = at};
        try {
            work(m);
        } catch (const ctl::Problem& problem) {
            CHECK_MSG(contains(problem.what(), "a fault"), problem.what());
            CHECK_MSG(!contains(problem.what(), "FAILED"), problem.what());
            CHECK_MSG(!contains(problem.what(), "but a service"), problem.what());
            m.same(files, fmt::format("fault {}", at));
            same_services(m, services, fmt::format("fault {}", at));
            continue;
        }
        nothing_is_stale(m, "done");
        return at - 1;
    }
}

void apply(FakeMachine& m, std::uint64_t port) {
    static_cast<void>(m.run(to_apply(port)));
}

void a_first_setup_that_fails_leaves_the_services_as_they_were() {
    for (const bool debian : {true, false})
        for (const std::uint64_t port : {0U, 2222U})
            CHECK(with_faults(
                      debian, [](FakeMachine&) {}, [port](FakeMachine& m) { apply(m, port); }) > 15);
}

void a_change_that_fails_leaves_the_services_as_they_were() {
    CHECK(with_faults(
              true, [](FakeMachine& m) { apply(m, 2222); }, [](FakeMachine& m) { apply(m, 2022); }) > 3);
    const auto keys_only = [](FakeMachine& m) {
        setup::Request request = to_apply(2222);
        request.ssh.enrolment = false;
        static_cast<void>(m.run(request));
    };
    CHECK(with_faults(
              true, [](FakeMachine& m) { apply(m, 2222); }, keys_only) > 3);
    // A service that the administrator has ended is not begun by what fails.
    CHECK(with_faults(
              true,
              [](FakeMachine& m) {
                  apply(m, 2222);
                  m.programs.running.erase(setup::k_own_unit);
              },
              [](FakeMachine& m) { apply(m, 2022); }) > 3);
}

void a_removal_that_fails_starts_again_what_it_stopped() {
    for (const std::uint64_t port : {0U, 2222U})
        CHECK(with_faults(
                  true, [port](FakeMachine& m) { apply(m, port); },
                  [](FakeMachine& m) { static_cast<void>(m.run(to_remove())); }) > 10);
}

void without_enrolment_its_service_ends() {
    FakeMachine m;
    start(m);
    apply(m, 2222);
    CHECK(m.programs.running.contains("pandora-gate-enrol.service"));
    setup::Request request = to_apply(2222);
    request.ssh.enrolment = false;
    CHECK(contains(m.run(request), "run: systemctl stop pandora-gate-enrol.service\n"));
    CHECK(!m.programs.running.contains("pandora-gate-enrol.service"));
    CHECK(m.programs.running.contains(setup::k_own_unit));
}

void a_service_that_does_not_start_again_is_told() {
    FakeMachine m;
    start(m);
    const auto before = m.all();
    m.programs.broken = "ssh.service"; // the last of all commands; and then once more
    const std::string failed = "systemctl try-reload-or-restart ssh.service: status 1: Job failed.";
    refused(ctl::Status::io,
            failed +
                "; everything was taken back, nothing is changed; but a service does not run as before: " +
                failed,
            [&] { apply(m, 2222); });
    m.same(before, "taken back");
    CHECK(!m.programs.running.contains(setup::k_own_unit));
}

std::ptrdiff_t at(const FakeMachine& m, const std::string& line, std::ptrdiff_t from = 0) {
    const auto& ran = m.programs.ran;
    const auto found = std::find(ran.begin() + from, ran.end(), line);
    CHECK_MSG(found != ran.end(), line);
    return found - ran.begin();
}

void its_own_sshd_answers_before_anybody_is_sent_to_it() {
    const std::string reload = "systemctl try-reload-or-restart ssh.service";
    FakeMachine m;
    start(m);
    apply(m, 2222);
    const auto started = at(m, "systemctl restart pandora-gate-sshd.service");
    CHECK(at(m, "greeting 2222") < started);
    CHECK(at(m, "greeting 2222", started) < at(m, reload));
    for (const auto& [answer, words] :
         std::map<std::string, std::string>{{"", "on 127.0.0.1 port 2222 no sshd answers within 5 s"},
                                            {"220 ftp\x1b", "something else answers (220 ftp\\x1b)"}}) {
        FakeMachine mute;
        start(mute);
        const auto files = mute.all();
        const auto services = mute.programs.running;
        mute.programs.answer = answer;
        refused(ctl::Status::refused, words, [&] { apply(mute, 2222); });
        mute.same(files, words);
        same_services(mute, services, words);
        CHECK(std::find(mute.programs.ran.begin(), mute.programs.ran.end(), reload) ==
              mute.programs.ran.end());
        refused(ctl::Status::refused, "journalctl -u pandora-gate-sshd.service", [&] { apply(mute, 2222); });
    }
    // The other form has none; and without systemd nobody has started it.
    FakeMachine drop_in;
    start(drop_in);
    drop_in.programs.answer = "";
    apply(drop_in, 0);
    FakeMachine without;
    without.programs.answer = "";
    apply(without, 2222);
}

// Its sshd would not get the port, and the other one's greeting be taken for its own.
void a_port_that_another_server_has_is_refused() {
    FakeMachine m;
    start(m);
    const auto files = m.all();
    m.programs.others[2222] = "SSH-2.0-Go\x1b";
    const std::string words = "another server has port 2222 already (it says SSH-2.0-Go\\x1b)";
    refused(ctl::Status::refused, words, [&] { apply(m, 2222); });
    m.same(files, "another server");
    CHECK(!m.programs.running.contains(setup::k_own_unit));
    // Nor may it move there.
    apply(m, 2022);
    refused(ctl::Status::refused, words, [&] { apply(m, 2222); });
    CHECK_EQ(m.programs.running.count(setup::k_own_unit), 1U);
    // Again, while its own answers: that is nobody else.
    setup::Request more = to_apply(2022);
    more.ssh.sizes.agents = 77;
    more.said.agents = true;
    static_cast<void>(m.run(more));
}

// A server on a port of the kernel's choice, which answers each who comes.
class Listener {
  public:
    explicit Listener(const std::string& words) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        CHECK(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
        CHECK(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this, words] {
            ::poll(nullptr, 0, 120); // whoever comes before is refused
            if (::listen(fd_.get(), 5) != 0)
                return;
            const Fd one{::accept(fd_.get(), nullptr, nullptr)};
            static_cast<void>(!::write(one.get(), words.data(), words.size()));
        });
    }
    ~Listener() { thread_.join(); }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    [[nodiscard]] std::uint16_t port() const { return port_; }

  private:
    Fd fd_;
    std::uint16_t port_ = 0;
    std::thread thread_{};
};

void a_greeting_is_the_first_line() {
    setup::Runner runner;
    constexpr int k_long = 30'000; // as long as a slow machine needs
    {
        const Listener server("SSH-2.0-x y\r\nmore\n");
        CHECK_EQ(runner.greeting(server.port(), k_long), std::string("SSH-2.0-x y\r"));
    }
    {
        const Listener server(std::string(4000, 'x'));
        CHECK_EQ(runner.greeting(server.port(), k_long), std::string(255, 'x'));
    }
    const Fd bound{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    CHECK(::bind(bound.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    CHECK(::getsockname(bound.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    CHECK_EQ(runner.greeting(ntohs(address.sin_port), 80), std::string()); // refused
    CHECK(::listen(bound.get(), 5) == 0);
    CHECK_EQ(runner.greeting(ntohs(address.sin_port), 80), std::string()); // mute
}

void two_at_once_are_one_after_the_other() {
    FakeMachine m;
    const auto before = m.all();
    {
        const setup::Lock other(m.place);
        for (const setup::Request& request : {to_apply(), to_apply(2222), to_remove()})
            refused(ctl::Status::busy, "another setup is running: nothing was changed",
                    [&] { static_cast<void>(m.run(request)); });
        CHECK(contains(m.run(to_show()), "dry run: nothing was changed")); // who looks is in nobody's way
        CHECK(!m.place.exists(setup::k_setup_state + std::string("/manifest.json")));
    }
    m.same(before, "refused");
    apply(m, 0);
    const auto set_up = m.all();
    {
        const setup::Lock other(m.place);
        refused(ctl::Status::busy, "another setup", [&] { static_cast<void>(m.run(to_remove())); });
    }
    m.same(set_up, "set up");
    static_cast<void>(m.run(to_remove()));
    m.same(before, "taken back");
}

// Whose setup is refused leaves no directory behind.
void who_is_refused_leaves_no_trace() {
    FakeMachine m;
    ::unlink((m.dir / "usr/libexec/pandora-gate/drop").c_str());
    const auto before = m.all();
    refused(ctl::Status::no_input, "install the package first", [&] { apply(m, 0); });
    m.same(before, "refused");
    std::filesystem::remove_all(m.dir / "var/lib/pandora-gate");
    const auto bare = m.all();
    refused(ctl::Status::no_input, "install the package first", [&] { apply(m, 0); });
    static_cast<void>(m.run(to_remove()));
    m.same(bare, "without a directory above");
}

void without_rsyslog_there_is_nothing_for_it() {
    for (const bool there : {true, false}) {
        FakeMachine m;
        ::unlink((m.dir / "usr/sbin").c_str());
        for (const auto& program : std::filesystem::directory_iterator(programs_of_all().path()))
            if (const std::string name = program.path().filename(); there || name != "rsyslogd")
                m.file("/usr/sbin/" + name, "", 0755);
        start(m);
        const std::string text = m.run(to_apply());
        CHECK_EQ(m.place.exists("/etc/rsyslog.d/pandora-gate.conf"), there);
        CHECK_EQ(contains(text, "systemctl try-restart rsyslog.service"), there);
        CHECK_EQ(contains(text, "note: no rsyslog here"), !there);
        CHECK_EQ(std::find(m.programs.ran.begin(), m.programs.ran.end(),
                           "systemctl try-restart rsyslog.service") != m.programs.ran.end(),
                 there);
    }
}

} // namespace

int main() {
    if (::access("/dev/shm", W_OK | X_OK) == 0)
        ::setenv("TMPDIR", "/dev/shm", 0);
    const CMUnitTest tests[] = {
        GATE_TEST(a_first_setup_that_fails_leaves_the_services_as_they_were),
        GATE_TEST(a_change_that_fails_leaves_the_services_as_they_were),
        GATE_TEST(a_removal_that_fails_starts_again_what_it_stopped),
        GATE_TEST(without_enrolment_its_service_ends),
        GATE_TEST(a_service_that_does_not_start_again_is_told),
        GATE_TEST(its_own_sshd_answers_before_anybody_is_sent_to_it),
        GATE_TEST(a_port_that_another_server_has_is_refused),
        GATE_TEST(a_greeting_is_the_first_line),
        GATE_TEST(two_at_once_are_one_after_the_other),
        GATE_TEST(who_is_refused_leaves_no_trace),
        GATE_TEST(without_rsyslog_there_is_nothing_for_it),
    };
    return cmocka_run_group_tests_name("ctl_setup_services", tests, nullptr, nullptr);
}
