// forcecmd/enrol/service: the question to the enrolment service, and every way in which it can stay
// unanswered.
#include "tests/unit/support.h"

#include "forcecmd/enrol/service.h"

#include <array>
#include <functional>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

using namespace gate;
using namespace gate::test;
using drop::enrol::connect_service;
using drop::enrol::Service;
using drop::enrol::Trail;
using enrol::Answer;
using enrol::Wish;

namespace {

constexpr std::string_view k_line = "ssh-ed25519 AAAA root@web01";

class Listener {
  public:
    explicit Listener(int type = SOCK_SEQPACKET) : socket_(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0)) {
        sockaddr_un at{};
        at.sun_family = AF_UNIX;
        path().copy(at.sun_path, sizeof at.sun_path - 1);
        CHECK_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
        CHECK_EQ(::listen(socket_.get(), 1), 0);
    }
    [[nodiscard]] std::string path() const { return dir_ / "enrol.sock"; }
    [[nodiscard]] Fd accept() const { return Fd{::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC)}; }
    void close() { socket_.reset(); }

  private:
    TempDir dir_;
    Fd socket_;
};

// What is handed over while `serve` has the other end.
enrol::Reply hand_over(const std::function<void(int)>& serve, Wish wish = Wish::enrol) {
    Listener listener;
    auto socket = connect_service(listener.path().c_str(), ::geteuid());
    CHECK_OK(socket);
    Fd client = listener.accept();
    const pid_t child = ::fork();
    if (child == 0) {
        serve(client.get());
        ::_exit(0);
    }
    client.reset();
    Trail trail({"session", {}, {}, {}});
    Service service(std::move(*socket), wish, trail);
    enrol::Reply reply = service.hand_over(k_line);
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
    return reply;
}

void say(int fd, std::string_view bytes) {
    std::array<char, 10'000> question{};
    if (::recv(fd, question.data(), question.size(), 0) <= 0 || ::send(fd, bytes.data(), bytes.size(), 0) < 0)
        ::_exit(1);
}

void its_answer_is_handed_back() {
    for (const Answer answer : {Answer::accepted, Answer::pending, Answer::refused}) {
        const auto reply = hand_over([&](int fd) { say(fd, encode(enrol::Reply{answer, "so it is"})); });
        CHECK(reply.answer == answer);
        CHECK_EQ(reply.text, "so it is");
    }
    const std::string longest(enrol::k_max_text, 'x');
    CHECK_EQ(hand_over([&](int fd) {
                 say(fd, encode(enrol::Reply{Answer::accepted, longest}));
             }).text,
             longest);
}

void the_question_is_the_line_and_the_wish() {
    for (const Wish wish : {Wish::enrol, Wish::rotate})
        CHECK_EQ(
            hand_over(
                [&](int fd) {
                    std::array<char, 10'000> bytes{};
                    const ssize_t size = ::recv(fd, bytes.data(), bytes.size(), 0);
                    const auto request =
                        enrol::decode_request({bytes.data(), static_cast<std::size_t>(size)});
                    const bool ok = request && request->wish == wish && request->line == k_line;
                    const std::string reply = encode(enrol::Reply{Answer::accepted, ok ? "right" : "wrong"});
                    ::send(fd, reply.data(), reply.size(), 0);
                },
                wish)
                .text,
            "right");
}

void whatever_is_no_answer_is_a_refusal() {
    const auto is_away = [](const enrol::Reply& reply) {
        return reply.answer == Answer::refused && reply.text == spool::sentence(spool::Reason::enrol_away);
    };
    CHECK(is_away(hand_over([](int) {}))); // it went
    for (const std::string& bytes :
         {std::string("?"), std::string("pgE1"), std::string("pgE1\4text"), std::string("pgE2\1text"),
          std::string("pgE1\1") + std::string(enrol::k_max_text + 1, 'x'), "pgE1\1" + std::string(5000, 'x'),
          std::string("pgE1\1a\nb"), std::string("pgE1\1a\33[2J")})
        CHECK_MSG(is_away(hand_over([&](int fd) { say(fd, bytes); })), escape_visible(bytes));
}

void nobody_listens() {
    Listener listener;
    CHECK_ERR(connect_service((listener.path() + "x").c_str(), ::geteuid()), Errc::missing);
    const std::string path = listener.path();
    listener.close();
    CHECK_ERR(connect_service(path.c_str(), ::geteuid()), Errc::missing);
    CHECK_ERR(connect_service(std::string(200, 'x').c_str(), ::geteuid()), Errc::bad_input);
    const Listener stream(SOCK_STREAM);
    CHECK_ERR(connect_service(stream.path().c_str(), ::geteuid()), Errc::missing);
}

void somebody_else_listens() {
    const Listener listener;
    CHECK_ERR(connect_service(listener.path().c_str(), ::geteuid() + 1), Errc::wrong_owner);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(its_answer_is_handed_back),
        GATE_TEST(the_question_is_the_line_and_the_wish),
        GATE_TEST(whatever_is_no_answer_is_a_refusal),
        GATE_TEST(nobody_listens),
        GATE_TEST(somebody_else_listens),
    };
    return cmocka_run_group_tests_name("drop_enrol_service", tests, nullptr, nullptr);
}
