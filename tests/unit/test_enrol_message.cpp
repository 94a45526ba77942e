// What drop and the enrolment service say to each other: what is written is read, and nothing else is.
#include "tests/unit/support.h"

#include "lib/enrol/message.h"

using namespace gate;
using namespace gate::enrol;

namespace {

void what_is_written_is_read() {
    const auto request = decode_request(encode(Request{Wish::rotate, "ssh-ed25519 AAAA a\tb \xc3\xa9"}));
    CHECK(request.has_value());
    CHECK(request->wish == Wish::rotate);
    CHECK_EQ(request->line, std::string("ssh-ed25519 AAAA a\tb \xc3\xa9"));
    const auto reply = decode_reply(encode(Reply{Answer::pending, "it waits"}));
    CHECK(reply.has_value());
    CHECK(reply->answer == Answer::pending);
    CHECK_EQ(reply->text, std::string("it waits"));
    CHECK(decode_request(encode(Request{Wish::enrol, std::string(k_max_line, 'x')})).has_value());
    CHECK(decode_reply(encode(Reply{Answer::refused, std::string(k_max_text, 'x')})).has_value());
}

void nothing_else_is_read() {
    const auto bad_request = [](const std::string& packet, Errc code) {
        const auto read = decode_request(packet);
        CHECK(!read.has_value());
        CHECK(read.error().code == code);
    };
    const std::string good = encode(Request{Wish::enrol, "x"});
    for (std::size_t size = 0; size < good.size(); ++size)
        bad_request(good.substr(0, size), Errc::bad_input);
    bad_request("pgE2" + good.substr(4), Errc::version);
    bad_request("pgE1" + std::string(1, '\0') + "x", Errc::bad_input);
    bad_request("pgE1\3x", Errc::bad_input);
    bad_request(encode(Request{Wish::enrol, std::string(k_max_line + 1, 'x')}), Errc::bad_input);
    for (const char byte : {'\n', '\r', '\0', '\x1b', '\x7f'})
        bad_request(encode(Request{Wish::enrol, std::string("a") + byte}), Errc::bad_input);
    CHECK(!decode_reply("pgE1\4x").has_value());
    CHECK(!decode_reply(encode(Reply{Answer::accepted, "two\nlines"})).has_value());
    CHECK(!decode_reply(encode(Reply{Answer::accepted, std::string(k_max_text + 1, 'x')})).has_value());
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(what_is_written_is_read),
        GATE_TEST(nothing_else_is_read),
    };
    return cmocka_run_group_tests_name("enrol_message", tests, nullptr, nullptr);
}
