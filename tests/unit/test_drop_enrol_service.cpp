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
using drop::enrol::make_socket;
using drop::enrol::Service;
using drop::enrol::Trail;
using enrol::Answer;
using enrol::Wish;

namespace {

constexpr std::string_view k_line = "ssh-ed25519 AAAA root@web01";

class Listener {
  public:
    explicit Listener(int type = SOCK_SEQPACKET) : socket_(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0)) {
        address.sun_family = AF_UNIX;
        const std::string path = dir_ / "enrol.sock";
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        CHECK_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        CHECK_EQ(::listen(socket_.get(), 1), 0);
    }
    sockaddr_un address{};
    [[nodiscard]] Fd accept() const { return Fd{::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC)}; }
    void close() { socket_.reset(); }

  private:
    TempDir dir_;
    Fd socket_;
};

enrol::Reply ask(const sockaddr_un& address, uid_t owner, Wish wish = Wish::enrol) {
    Trail trail({"session", {}, {}, {}});
    auto socket = make_socket();
    CHECK_OK(socket);
    Service service(std::move(*socket), address, owner, wish, trail);
    return service.hand_over(k_line);
}

// What is handed over while `serve` has the other end.
enrol::Reply hand_over(const std::function<void(int)>& serve, Wish wish = Wish::enrol) {
    Listener listener;
    const pid_t child = ::fork();
    if (child == 0) {
        serve(listener.accept().get());
        ::_exit(0);
    }
    listener.close();
    const enrol::Reply reply = ask(listener.address, ::geteuid(), wish);
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
    return reply;
}

bool is_away(const enrol::Reply& reply) {
    return reply.answer == Answer::refused && reply.text == spool::sentence(spool::Reason::enrol_away);
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
    sockaddr_un missing = listener.address;
    missing.sun_path[0] = 'x';
    CHECK(is_away(ask(missing, ::geteuid())));
    listener.close();
    CHECK(is_away(ask(listener.address, ::geteuid())));
    const Listener stream(SOCK_STREAM);
    CHECK(is_away(ask(stream.address, ::geteuid())));
}

// Nothing is said to him.
void somebody_else_listens() {
    const Listener listener;
    CHECK(is_away(ask(listener.address, ::geteuid() + 1)));
    char byte = 0;
    CHECK_EQ(::recv(listener.accept().get(), &byte, 1, 0), 0);
}

void the_address_is_the_one_of_the_service() {
    CHECK_EQ(drop::enrol::k_service.sun_path, std::string(enrol::k_socket));
    CHECK_EQ(drop::enrol::k_service.sun_family, sa_family_t{AF_UNIX});
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(its_answer_is_handed_back),
        GATE_TEST(the_question_is_the_line_and_the_wish),
        GATE_TEST(whatever_is_no_answer_is_a_refusal),
        GATE_TEST(nobody_listens),
        GATE_TEST(somebody_else_listens),
        GATE_TEST(the_address_is_the_one_of_the_service),
    };
    return cmocka_run_group_tests_name("drop_enrol_service", tests, nullptr, nullptr);
}
