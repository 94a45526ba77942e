// forcecmd/front/scp: golden dialogues of the SCP sink. Each is played in one piece, byte by byte and in
// random pieces.
#include "tests/unit/support.h"

#include "forcecmd/front/scp/sink.h"
#include "tests/unit/fake_dropbox.h"

using namespace gate;
using namespace std::string_literals;
using spool::ClientRequest;
using spool::Reason;
using test::FakeDropbox;
using test::Outcome;

namespace {

const spool::VirtualTree k_tree("/var/spool/pandora/data_in");

ClientRequest sink_into(std::string target) {
    ClientRequest out;
    out.kind = ClientRequest::Kind::scp_sink;
    out.target = std::move(target);
    return out;
}

Outcome talk(std::string_view input, const ClientRequest& request = sink_into("."),
             const test::SetUp& set_up = {}) {
    return test::play_any_way(
        [&](drop::Dropbox& dropbox) { return std::make_unique<drop::scp::Sink>(dropbox, k_tree, request); },
        set_up, input);
}

const std::string k_ack(1, '\0');

// The server's no: `what` is the file it is about.
std::string no(Reason reason, std::string_view what = {}) {
    return "\1" + std::string(what) + (what.empty() ? "" : ": ") + spool::sentence(reason) + "\n";
}

// As OpenSSH's client sends it; `tail` is what stands for the status byte.
std::string file(std::string_view name, std::string_view content, std::string_view tail = k_ack) {
    return "C0644 " + std::to_string(content.size()) + " " + std::string(name) + "\n" + std::string(content) +
           std::string(tail);
}

#define CHECK_TALK(outcome, expected_answers, expected_calls, expected_status)                               \
    do {                                                                                                     \
        const Outcome& check_o = (outcome);                                                                  \
        CHECK_EQ(check_o.answers, expected_answers);                                                         \
        CHECK_EQ(check_o.calls, expected_calls);                                                             \
        CHECK_EQ(check_o.status, expected_status);                                                           \
    } while (false)

void one_file() {
    const Outcome o = talk(file("a.1.data", "hello"));
    CHECK_TALK(o, k_ack + k_ack + k_ack, "begin a.1.data 5\nwrite a.1.data @0\ncommit a.1.data 5\n", 0);
    CHECK_EQ(o.delivered.size(), 1U);
    CHECK_EQ(o.delivered[0].second, "hello");
}

void nothing_at_all() {
    CHECK_TALK(talk(""), k_ack, "", 0);
}

void times_are_taken_and_ignored() {
    CHECK_TALK(talk("T1700000000 0 1700000000 0\n" + file("a.1.data", "x")), k_ack + k_ack + k_ack + k_ack,
               "begin a.1.data 1\nwrite a.1.data @0\ncommit a.1.data 1\n", 0);
}

void a_checksum_and_its_packet() {
    const Outcome o = talk(file("a.1.checksum", "0123") + file("a.1.data", "x"));
    CHECK_EQ(o.answers, std::string(5, '\0'));
    CHECK_EQ(o.delivered.size(), 2U);
}

void an_empty_file() {
    CHECK_TALK(talk(file("a.1.data", "")), k_ack + k_ack + k_ack, "begin a.1.data 0\ncommit a.1.data 0\n", 0);
}

// Content is content, whatever it looks like.
void content_is_not_parsed() {
    const std::string content = "C0644 5 b.1.data\n\0\1\2E\nD0755 0 x\n"s;
    const Outcome o = talk(file("a.1.data", content));
    CHECK_EQ(o.delivered.size(), 1U);
    CHECK_EQ(o.delivered[0].second, content);
    CHECK_EQ(o.answers, k_ack + k_ack + k_ack);
}

void a_refused_first_file_does_not_stop_the_second() {
    // After a refusal the client sends no content, but its next record.
    CHECK_TALK(talk("C0644 5 ls.exe\n" + file("a.1.data", "x")),
               k_ack + no(Reason::name_form, "ls.exe") + k_ack + k_ack,
               "begin ls.exe 5 = name.form\nbegin a.1.data 1\nwrite a.1.data @0\ncommit a.1.data 1\n", 1);
}

void a_refused_second_file_leaves_the_first() {
    CHECK_TALK(talk(file("a.1.data", "x") + "C0644 5 b.1.data\n", sink_into("."),
                    [](FakeDropbox& d) { d.refuse_begin["b.1.data"] = Reason::agent_name; }),
               k_ack + k_ack + k_ack + no(Reason::agent_name, "b.1.data"),
               "begin a.1.data 1\nwrite a.1.data @0\ncommit a.1.data 1\nbegin b.1.data 5 = agent.name\n", 1);
}

void a_refusal_while_writing_is_told_once_at_the_end() {
    CHECK_TALK(talk(file("a.1.data", "hello") + file("b.1.data", "x"), sink_into("."),
                    [](FakeDropbox& d) { d.refuse_write["a.1.data"] = Reason::staged_bytes; }),
               k_ack + k_ack + no(Reason::staged_bytes) + k_ack + k_ack,
               "begin a.1.data 5\nwrite a.1.data @ = limit.staged_bytes\n"
               "abort a.1.data limit.staged_bytes\nbegin b.1.data 1\nwrite b.1.data @0\ncommit b.1.data 1\n",
               1);
}

// A client that does not wait for its answers gets them in the order of its files all the same.
void answers_to_files_sent_ahead_keep_their_order() {
    const Outcome o = talk(file("a.1.data", "one") + file("a.2.data", "two") + file("a.3.data", "three"),
                           sink_into("."), [](FakeDropbox& dropbox) {
                               dropbox.refuse_commit["a.1.data"] = Reason::backlog;
                               dropbox.refuse_begin["a.3.data"] = Reason::paused;
                           });
    CHECK_EQ(o.answers.substr(0, o.answers.find(no(Reason::paused, "a.3.data"))),
             k_ack + k_ack + no(Reason::backlog) + k_ack + k_ack);
    CHECK_EQ(o.delivered.size(), 1U);
    CHECK_EQ(o.delivered[0].second, "two");
    CHECK_EQ(o.status, 1);
}

void a_refusal_at_the_end_is_told_in_place_of_the_last_ack() {
    CHECK_TALK(talk(file("a.1.data", "x"), sink_into("."),
                    [](FakeDropbox& d) { d.refuse_commit["a.1.data"] = Reason::space_free; }),
               k_ack + k_ack + no(Reason::space_free),
               "begin a.1.data 1\nwrite a.1.data @0\ncommit a.1.data 1 = space.free\n", 1);
}

void a_target_that_is_a_file_names_it() {
    for (const std::string target :
         {"/var/spool/pandora/data_in/a.1.data", "a.1.data", "/a.1.data", "~/a.1.data"})
        CHECK_TALK(talk(file("whatever/../x", "x"), sink_into(target)), k_ack + k_ack + k_ack,
                   "begin a.1.data 1\nwrite a.1.data @0\ncommit a.1.data 1\n", 0);
}

void a_target_elsewhere_is_refused_at_once() {
    for (const std::string target :
         {"/etc/cron.d", "/etc/passwd", "../x.1.data", "/var/spool", "conf/x.1.data",
          "/var/spool/pandora/data_in2", "/var/spool/pandora/data_in/conf/a.1.data", "a.1.data/"}) {
        const Outcome o = talk(file("a.1.data", "x"), sink_into(target));
        CHECK_TALK(o, no(Reason::name_path), "refused name.path " + target + "\n", 1);
        CHECK(o.finished);
    }
    ClientRequest directory = sink_into("a.1.data");
    directory.target_is_directory = true; // several files into one
    CHECK_TALK(talk(file("b.1.data", "x"), directory), no(Reason::name_path), "refused name.path a.1.data\n",
               1);
}

void directories_are_refused_and_the_session_goes_on() {
    ClientRequest request = sink_into(".");
    for (const bool recursive : {false, true}) {
        request.recursive = recursive;
        CHECK_TALK(talk("D0755 0 dir\n" + file("a.1.data", "x"), request),
                   k_ack + no(Reason::recursive) + k_ack + k_ack,
                   "refused request.recursive D0755 0 dir\nbegin a.1.data 1\nwrite a.1.data @0\n"
                   "commit a.1.data 1\n",
                   1);
    }
}

void an_error_of_the_client_wants_no_answer() {
    CHECK_TALK(talk("\1scp: x: No such file\n" + file("a.1.data", "x")), k_ack + k_ack + k_ack,
               "refused transfer.client_error scp: x: No such file\nbegin a.1.data 1\nwrite a.1.data @0\n"
               "commit a.1.data 1\n",
               1);
    const Outcome o = talk("\2fatal\n" + file("a.1.data", "x"));
    CHECK_TALK(o, k_ack, "refused transfer.client_error fatal\n", 1);
    CHECK(o.finished);
}

void an_error_of_the_client_in_place_of_the_status_byte_discards_the_file() {
    for (const std::string& tail : {"\1scp: a.1.data: Input/output error\n"s, "\2gone\n"s})
        CHECK_TALK(talk(file("a.1.data", "hello", tail) + file("b.1.data", "x")),
                   k_ack + k_ack + no(Reason::client_error) + k_ack + k_ack,
                   "begin a.1.data 5\nwrite a.1.data @0\nabort a.1.data transfer.client_error\n"
                   "begin b.1.data 1\nwrite b.1.data @0\ncommit b.1.data 1\n",
                   1);
}

// libssh2, curl and the Windows agent send no last byte.
void the_end_of_input_after_the_last_byte_is_a_complete_upload() {
    CHECK_TALK(talk(file("a.1.data", "hello", "")), k_ack + k_ack + k_ack,
               "begin a.1.data 5\nwrite a.1.data @0\ncommit a.1.data 5\n", 0);
    CHECK_TALK(talk(file("a.1.data", "", "")), k_ack + k_ack + k_ack, "begin a.1.data 0\ncommit a.1.data 0\n",
               0);
}

// Two files, cut off after every single byte.
void the_end_of_input_anywhere_else_discards_the_file() {
    const std::string first = file("a.1.data", "hello");
    const std::string input = "T1 0 1 0\n" + first + file("b.1.data", "0123456789");
    const std::size_t first_end = input.find("hello") + 5;
    const std::size_t second_end = input.size() - 1;
    for (std::size_t cut = 0; cut <= input.size(); ++cut) {
        const Outcome o = talk(std::string_view(input).substr(0, cut));
        const std::size_t expected = (cut >= first_end ? 1U : 0U) + (cut >= second_end ? 1U : 0U);
        CHECK_MSG(o.delivered.size() == expected, std::to_string(cut));
        for (const auto& [name, content] : o.delivered)
            CHECK_EQ(content, name == "a.1.data" ? "hello" : "0123456789");
        // In good order only between records, or right behind the bytes of a file.
        const bool clean = cut == 0 || cut == 9 || cut == first_end || cut == first_end + 1 ||
                           cut == second_end || cut == input.size();
        CHECK_MSG(o.status == (clean ? 0 : 1), std::to_string(cut));
    }
}

void the_session_s_end_discards_the_file() {
    for (const std::string& input : {"C0644 5 a.1.data\nhel"s, file("a.1.data", "hello", ""),
                                     file("a.1.data", "hello", "\1oops"), "C0644"s, ""s}) {
        FakeDropbox dropbox;
        const ClientRequest request = sink_into(".");
        drop::scp::Sink sink(dropbox, k_tree, request);
        std::string out;
        sink.start(out);
        sink.feed(input, out);
        out.clear();
        sink.interrupt(Reason::idle_timeout, out);
        CHECK_EQ(out, no(Reason::idle_timeout));
        CHECK(sink.finished());
        CHECK_EQ(sink.exit_status(), 1);
        CHECK(dropbox.delivered.empty());
        CHECK_EQ(dropbox.open_files(), 0U);
        out.clear();
        sink.feed(file("b.1.data", "x"), out); // nothing is heard any more
        CHECK_EQ(out, "");
        CHECK(dropbox.delivered.empty());
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(one_file),
        GATE_TEST(nothing_at_all),
        GATE_TEST(times_are_taken_and_ignored),
        GATE_TEST(a_checksum_and_its_packet),
        GATE_TEST(an_empty_file),
        GATE_TEST(content_is_not_parsed),
        GATE_TEST(a_refused_first_file_does_not_stop_the_second),
        GATE_TEST(a_refused_second_file_leaves_the_first),
        GATE_TEST(a_refusal_while_writing_is_told_once_at_the_end),
        GATE_TEST(answers_to_files_sent_ahead_keep_their_order),
        GATE_TEST(a_refusal_at_the_end_is_told_in_place_of_the_last_ack),
        GATE_TEST(a_target_that_is_a_file_names_it),
        GATE_TEST(a_target_elsewhere_is_refused_at_once),
        GATE_TEST(directories_are_refused_and_the_session_goes_on),
        GATE_TEST(an_error_of_the_client_wants_no_answer),
        GATE_TEST(an_error_of_the_client_in_place_of_the_status_byte_discards_the_file),
        GATE_TEST(the_end_of_input_after_the_last_byte_is_a_complete_upload),
        GATE_TEST(the_end_of_input_anywhere_else_discards_the_file),
        GATE_TEST(the_session_s_end_discards_the_file),
    };
    return cmocka_run_group_tests_name("drop_scp", tests, nullptr, nullptr);
}
