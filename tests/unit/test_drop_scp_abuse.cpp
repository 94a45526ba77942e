// forcecmd/front/scp: what no decent client sends.
#include "tests/unit/support.h"

#include "forcecmd/front/scp/sink.h"
#include "tests/unit/fake_dropbox.h"

#include <algorithm>

using namespace gate;
using namespace std::string_literals;
using spool::ClientRequest;
using spool::Reason;
using test::FakeDropbox;
using test::Outcome;

namespace {

const spool::VirtualTree k_tree("/var/spool/pandora/data_in");
const std::string k_ack(1, '\0');

Outcome talk(std::string_view input) {
    ClientRequest request;
    request.kind = ClientRequest::Kind::scp_sink;
    request.target = ".";
    return test::play_any_way(
        [&](drop::Dropbox& dropbox) { return std::make_unique<drop::scp::Sink>(dropbox, k_tree, request); },
        {}, input);
}

std::string no(Reason reason, std::string_view what = {}) {
    return "\1" + std::string(what) + (what.empty() ? "" : ": ") + spool::sentence(reason) + "\n";
}

constexpr std::string_view k_good_calls = "begin a.1.data 1\nwrite a.1.data @0\ncommit a.1.data 1\n";
const std::string k_good = "C0644 1 a.1.data\nx" + k_ack;

// These end the session: one refusal, no call but the audit's, and nothing that follows is looked at.
void records_that_make_no_sense_end_the_session() {
    for (const std::string& record : {"E"s,
                                      "X"s,
                                      ""s,
                                      "\0"s,
                                      "C"s,
                                      "C0644"s,
                                      "C0644 "s,
                                      "C0644 1"s,
                                      "C0644 1a.1.data"s,
                                      "C0644  1 a.1.data"s,
                                      "C064 1 a.1.data"s,
                                      "C00644 1 a.1.data"s,
                                      "C0648 1 a.1.data"s,
                                      "C-644 1 a.1.data"s,
                                      "C0x44 1 a.1.data"s,
                                      "C0644 -1 a.1.data"s,
                                      "C0644 +1 a.1.data"s,
                                      "C0644 1x a.1.data"s,
                                      "C0644 0x1 a.1.data"s,
                                      "C0644 18446744073709551616 a.1.data"s,
                                      "C0644 99999999999999999999999999 a.1.data"s,
                                      "C0644\t1\ta.1.data"s,
                                      "c0644 1 a.1.data"s,
                                      " C0644 1 a.1.data"s,
                                      "\3text"s,
                                      "\xff"s,
                                      "SSH-2.0-x"s,
                                      "GET / HTTP/1.0"s}) {
        const Outcome o = talk(record + "\n" + k_good);
        CHECK_EQ(o.answers, k_ack + no(Reason::protocol));
        CHECK_EQ(o.calls, "refused transfer.protocol " + escape_visible(record) + "\n");
        CHECK_EQ(o.status, 1);
        CHECK(o.finished);
    }
}

void sizes_over_the_limit_are_refused_and_the_session_goes_on() {
    for (const std::string& size :
         {"2000001"s, "4294967296"s, "9223372036854775808"s, "18446744073709551615"s}) {
        const Outcome o = talk("C0644 " + size + " b.1.data\n" + k_good);
        CHECK_EQ(o.answers, k_ack + no(Reason::size_file, "b.1.data") + k_ack + k_ack);
        CHECK_EQ(o.calls, "begin b.1.data " + size + " = size.file\n" + std::string(k_good_calls));
        CHECK_EQ(o.status, 1);
    }
}

void names_with_a_directory_are_refused_and_the_session_goes_on() {
    for (const auto& [name, reason] :
         {std::pair{"/etc/passwd"s, Reason::name_path}, std::pair{"x/a.1.data"s, Reason::name_path},
          std::pair{"a.1.data/"s, Reason::name_path}, std::pair{"../a.1.data"s, Reason::name_form},
          std::pair{".."s, Reason::name_form}, std::pair{"."s, Reason::name_form},
          std::pair{""s, Reason::name_form}, std::pair{"a\x1b[2J.1.data"s, Reason::name_byte},
          std::pair{"a\r.1.data"s, Reason::name_byte}, std::pair{"a\0.1.data"s, Reason::name_byte},
          std::pair{"id_rsa"s, Reason::name_form}, std::pair{"0.conf"s, Reason::name_remote_config}}) {
        const Outcome o = talk("C0644 1 " + name + "\n" + k_good);
        CHECK_EQ(o.answers, k_ack + no(reason, escape_visible(name)) + k_ack + k_ack);
        CHECK(o.calls.ends_with("\n" + std::string(k_good_calls)));
        CHECK_EQ(o.status, 1);
    }
}

// Modes of clients are of no use, set-id bits among them (CVE-2026-35385).
void modes_are_not_looked_at() {
    for (const std::string& mode : {"0000"s, "0777"s, "4755"s, "7777"s})
        CHECK_EQ(talk("C" + mode + " 1 a.1.data\nx" + k_ack).calls, k_good_calls);
}

// A name with spaces is everything behind the second one.
void a_name_may_hold_spaces() {
    CHECK_EQ(talk("C0644 1 my own agent.1.data\nx" + k_ack).calls,
             "begin my own agent.1.data 1\nwrite my own agent.1.data @0\ncommit my own agent.1.data 1\n");
}

void a_record_is_2047_bytes_at_most() {
    const std::string head = "C0644 1 ";
    const std::string longest = head + std::string(drop::scp::k_max_record - head.size(), 'x');
    const Outcome refused = talk(longest + "\n" + k_good);
    CHECK(refused.calls.starts_with("begin xxxx"));
    CHECK(refused.calls.ends_with("= name.length\n" + std::string(k_good_calls)));
    for (const std::string& record : {longest + "x", longest + std::string(1'000'000, 'x'), longest + "xx"}) {
        for (const std::string& tail : {""s, "\n" + k_good}) {
            const Outcome o = talk(record + tail);
            CHECK_EQ(o.answers, k_ack + no(Reason::protocol));
            CHECK(o.finished);
            CHECK_EQ(o.status, 1);
            CHECK(o.delivered.empty());
        }
    }
}

void an_over_long_text_of_the_client_ends_the_session() {
    const Outcome o = talk("C0644 1 a.1.data\nx\1" + std::string(10'000, 'x') + "\n" + k_good);
    CHECK(o.finished);
    CHECK_EQ(o.status, 1);
    CHECK(o.delivered.empty());
    CHECK_EQ(o.answers, k_ack + k_ack + no(Reason::protocol)); // one answer, not one for the file besides
    CHECK(o.calls.find("abort a.1.data transfer.client_error\n") != std::string::npos);
}

void a_wrong_status_byte_ends_the_session() {
    for (const char byte : {'\3', '\n', 'C', '\xff'}) {
        const Outcome o = talk("C0644 1 a.1.data\nx" + std::string(1, byte) + k_good);
        CHECK_EQ(o.answers, k_ack + k_ack + no(Reason::protocol));
        CHECK_EQ(o.calls, "begin a.1.data 1\nwrite a.1.data @0\nabort a.1.data transfer.protocol\n");
        CHECK_EQ(o.status, 1);
        CHECK(o.finished);
    }
}

void terminal_escapes_do_not_come_back() {
    const Outcome o = talk("C0644 1 \x1b]0;x\x07\x9b.1.data\n");
    for (const char c : o.answers)
        CHECK(c == '\0' || c == '\1' || c == '\n' || (c >= 0x20 && c <= 0x7e));
}

// Any mixture of records and noise: what is delivered was declared, sent whole, and acknowledged.
void nothing_is_delivered_that_was_not_sent_whole() {
    const std::string pieces[] = {"C0644 5 a.1.data\nhello\0"s,
                                  k_good,
                                  "C0644 5 a.1.data\n",
                                  "C0644 0 b.1.data\n",
                                  "C0644 9 ../x\n",
                                  "T1 0 1 0\n",
                                  "hello",
                                  "hell",
                                  k_ack,
                                  k_ack,
                                  "\1no\n",
                                  "\2no\n",
                                  "D0755 0 d\n",
                                  "E\n",
                                  "\n",
                                  "C0644 99999999 c.1.data\n"};
    auto random = test::seeded();
    unsigned delivered = 0;
    unsigned failed = 0;
    for (int i = 0; i < 4000; ++i) {
        std::string input;
        for (auto n = 1 + random() % 12; n > 0; --n)
            input += pieces[random() % 2 == 0 ? 0 : random() % std::size(pieces)];
        const Outcome o = talk(input);
        for (const auto& [name, content] : o.delivered) {
            CHECK(content.size() == 5 || content == (name == "a.1.data" ? "x" : ""));
            CHECK_MSG(input.find(content) != std::string::npos, escape_visible(input));
        }
        // Exit status 0: no refusal was told. (A file's own bytes never come back.)
        if (o.status == 0)
            CHECK_MSG(o.answers.find('\1') == std::string::npos, escape_visible(input));
        const auto acks = static_cast<std::size_t>(std::ranges::count(o.answers, '\0'));
        CHECK_MSG(acks >= 1 + 2 * o.delivered.size(), escape_visible(input));
        delivered += o.delivered.empty() ? 0U : 1U;
        failed += o.status == 0 ? 0U : 1U;
    }
    print_message("sessions that delivered %u, that failed %u\n", delivered, failed);
    CHECK(delivered > 100 && failed > 500);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(records_that_make_no_sense_end_the_session),
        GATE_TEST(sizes_over_the_limit_are_refused_and_the_session_goes_on),
        GATE_TEST(names_with_a_directory_are_refused_and_the_session_goes_on),
        GATE_TEST(modes_are_not_looked_at),
        GATE_TEST(a_name_may_hold_spaces),
        GATE_TEST(a_record_is_2047_bytes_at_most),
        GATE_TEST(an_over_long_text_of_the_client_ends_the_session),
        GATE_TEST(a_wrong_status_byte_ends_the_session),
        GATE_TEST(terminal_escapes_do_not_come_back),
        GATE_TEST(nothing_is_delivered_that_was_not_sent_whole),
    };
    return cmocka_run_group_tests_name("drop_scp_abuse", tests, nullptr, nullptr);
}
