// forcecmd/front/remote_dropbox: staging in memory, and what is said to the publisher. The publisher here is
// a script: its replies are put into the socket before they are asked for, its requests are read afterwards.
#include "tests/unit/support.h"

#include "forcecmd/front/remote_dropbox.h"
#include "forcecmd/sealed.h"

#include <csignal>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

using namespace gate;
using drop::Channel;
using drop::FileId;
using drop::Op;
using drop::Received;
using drop::RemoteDropbox;
using drop::Reply;
using spool::Reason;

namespace {

class World {
  public:
    explicit World(std::uint64_t max_file_size = 1000, bool check_content = true)
        : World(Channel::make_pair(), policy(max_file_size, check_content)) {}

    void will_answer(Reason reason) { CHECK_OK(publisher_->send(Reply{.reason = reason})); }
    void grants(std::uint64_t size, bool any_size = false) {
        CHECK_OK(publisher_->send(
            Reply{.kind = Reply::Kind::grant, .any_size = any_size ? 1U : 0U, .granted_size = size}));
    }
    // begin() looks for a grant first: here is one that is good for nothing.
    void will_answer_begin(Reason reason) {
        grants(0);
        will_answer(reason);
    }
    FileId begin(std::uint32_t number = 0) {
        will_answer_begin(Reason::none);
        FileId file = 99;
        CHECK_EQ(box.begin("a.1.data", std::nullopt, file), Reason::none);
        CHECK_EQ(file, number);
        const Received begun = asked();
        CHECK_EQ(begun.request.op, Op::begin);
        CHECK_EQ(begun.request.file, number);
        return file;
    }
    Received asked() {
        auto received = publisher_->receive_request();
        CHECK_OK(received);
        return std::move(*received);
    }
    bool nothing_asked() {
        pollfd waiting{publisher_->fd(), POLLIN, 0};
        return ::poll(&waiting, 1, 0) == 0;
    }
    void publisher_goes() { publisher_.reset(); }
    // A publisher in a process of its own: answers the next request when it comes, and not before.
    void will_answer_when_asked(Reason reason) {
        const pid_t pid = ::fork();
        if (pid == 0) {
            ::alarm(20);
            const bool answered = publisher_->receive_request() && publisher_->send(Reply{.reason = reason});
            ::_exit(answered ? 0 : 1);
        }
        CHECK(pid > 0);
        waiting_ = pid;
    }
    ~World() {
        if (waiting_ > 0) {
            ::kill(waiting_, SIGKILL);
            ::waitpid(waiting_, nullptr, 0);
        }
    }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

  private:
    World(Result<std::pair<Channel, Channel>> pair, keyring::Policy policy)
        : policy_(std::move(policy)), key_(key()), front_(std::move(pair->first)),
          publisher_(std::move(pair->second)), box(front_, policy_, key_) {
        // A question that nobody answers is an error here, and no hanging test.
        const timeval patience{.tv_sec = 2, .tv_usec = 0};
        CHECK(::setsockopt(front_.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    }

    static keyring::Policy policy(std::uint64_t max_file_size, bool check_content) {
        keyring::Policy made;
        made.drop_max_file_size = max_file_size;
        made.content_check = check_content;
        made.drop_session_files = 3;
        return made;
    }
    static keyring::KeyRecord key() {
        keyring::KeyRecord made;
        made.agents = {{"a", "0cc175b9c0f1b6a831c399e269772661"}};
        return made;
    }

    const keyring::Policy policy_;
    const keyring::KeyRecord key_;
    Channel front_;
    std::optional<Channel> publisher_;
    pid_t waiting_ = 0;

  public:
    RemoteDropbox box;
};

void begin_says_name_and_size() {
    World world;
    world.will_answer_begin(Reason::none);
    FileId file = 5;
    CHECK_EQ(world.box.begin("a.1.data", 42, file), Reason::none);
    CHECK_EQ(file, 0U);
    const Received known = world.asked();
    CHECK_EQ(known.request.op, Op::begin);
    CHECK_EQ(known.request.get_text(), "a.1.data");
    CHECK_EQ(known.request.declared, 42U);
    world.will_answer_begin(Reason::agent_name);
    CHECK_EQ(world.box.begin("b.1.data", std::nullopt, file), Reason::agent_name);
    CHECK_EQ(world.asked().request.declared, drop::k_unknown_size);
}

std::string_view text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void small_content_rides_in_the_message() {
    World world;
    const FileId file = world.begin();
    CHECK_EQ(world.box.write(file, 6, "world"), Reason::none);
    CHECK(!world.box.whole(file));
    CHECK_EQ(world.box.write(file, 0, "HELLO "), Reason::none);
    CHECK_EQ(world.box.write(file, 0, "hello"), Reason::none);
    CHECK(world.box.whole(file));
    CHECK_EQ(world.box.size(file), 11U);
    CHECK(world.nothing_asked()); // content costs no word
    world.will_answer(Reason::none);
    CHECK_EQ(world.box.commit(file), Reason::none);
    const Received commit = world.asked();
    CHECK_EQ(commit.request.op, Op::commit);
    CHECK_EQ(commit.request.file, file);
    CHECK_EQ(commit.request.size, 11U);
    CHECK(!commit.file.valid());
    CHECK_EQ(text_of(commit.content), "hello world");
}

// What begins small and grows, in any order, is handed over in a memfd that nobody can change.
void large_content_is_handed_over_sealed() {
    World world(2'000'000);
    const FileId file = world.begin();
    const std::string head(drop::k_max_inline, 'h');
    CHECK_EQ(world.box.write(file, 0, head), Reason::none);
    CHECK_EQ(world.box.write(file, head.size() + 4, "tail"), Reason::none);
    CHECK_EQ(world.box.write(file, head.size(), "body"), Reason::none);
    CHECK_EQ(world.box.write(file, 0, "HEAD"), Reason::none);
    world.will_answer(Reason::none);
    CHECK_EQ(world.box.commit(file), Reason::none);
    const Received commit = world.asked();
    CHECK_EQ(commit.request.size, head.size() + 8);
    CHECK(commit.content.empty());
    const auto sealed = drop::SealedContent::map(commit.file.get(), commit.request.size);
    CHECK_OK(sealed);
    CHECK_EQ(text_of(sealed->bytes()), "HEAD" + head.substr(4) + "bodytail");
    CHECK(::pwrite(commit.file.get(), "x", 1, 0) < 0 && ::ftruncate(commit.file.get(), 0) < 0);
}

// The verdict that comes with what the client has sent under this name.
spool::Verdict verdict_of(World& world, std::string_view name, std::string_view content) {
    world.will_answer_begin(Reason::none);
    FileId file = 99;
    CHECK_EQ(world.box.begin(name, std::nullopt, file), Reason::none);
    static_cast<void>(world.asked());
    CHECK_EQ(world.box.write(file, 0, content), Reason::none);
    world.will_answer(Reason::none);
    CHECK_EQ(world.box.commit(file), Reason::none);
    return world.asked().request.get_verdict();
}

void what_is_handed_over_has_been_read() {
    using spool::Content;
    const std::string small = "<agent_data agent_name='web1'></agent_data>";
    const std::string large =
        "<agent_data agent_name='web1'>" + std::string(drop::k_max_inline, ' ') + "</agent_data>";
    for (const std::string& content : {small, large}) {
        World world(2'000'000);
        const spool::Verdict verdict = verdict_of(world, "a.1.data", content);
        CHECK(verdict.content == Content::well_formed && verdict.agent_name == "web1");
        CHECK(verdict_of(world, "a.2.data", "<!DOCTYPE x>" + content).content == Content::doctype);
        // What is thrown away is not read.
        CHECK(verdict_of(world, "a.1.checksum", content).content == Content::unchecked);
        World off(2'000'000, false);
        CHECK(verdict_of(off, "a.1.data", content).content == Content::unchecked);
    }
}

void an_empty_file_is_handed_over_too() {
    World world;
    const FileId file = world.begin();
    world.will_answer(Reason::none);
    CHECK_EQ(world.box.commit(file), Reason::none);
    const Received commit = world.asked();
    CHECK_EQ(commit.request.size, 0U);
    CHECK(commit.content.empty() && !commit.file.valid());
}

void truncate_cuts_what_is_handed_over() {
    for (const std::size_t before : {std::size_t{0}, drop::k_max_inline}) {
        World world(2'000'000);
        const FileId file = world.begin();
        CHECK_EQ(world.box.write(file, 0, std::string(before, 'x') + "hello world"), Reason::none);
        CHECK_EQ(world.box.truncate(file, before + 12),
                 Reason::incomplete); // no promise of bytes that are not there
        CHECK_EQ(world.box.truncate(file, 5), Reason::none);
        CHECK_EQ(world.box.size(file), 5U);
        world.will_answer(Reason::none);
        CHECK_EQ(world.box.commit(file), Reason::none);
        const Received commit = world.asked();
        CHECK_EQ(commit.request.size, 5U);
        if (before == 0)
            CHECK_EQ(text_of(commit.content), "hello");
        else
            CHECK_OK(drop::SealedContent::map(commit.file.get(), 5));
    }
}

// --- grants
// ---------------------------------------------------------------------------------------------------

void a_granted_file_is_one_question() {
    World world;
    world.grants(100);
    FileId file = 9;
    CHECK_EQ(world.box.begin("a.1.data", 5, file), Reason::none);
    CHECK(world.nothing_asked());
    CHECK_EQ(world.box.write(file, 0, "hello"), Reason::none);
    world.will_answer(Reason::none);
    CHECK_EQ(world.box.commit(file), Reason::none);
    const Received delivered = world.asked();
    CHECK_EQ(delivered.request.op, Op::deliver);
    CHECK_EQ(delivered.request.get_text(), "a.1.data");
    CHECK_EQ(delivered.request.declared, 5U);
    CHECK_EQ(text_of(delivered.content), "hello");
    // It was for one file.
    world.will_answer_when_asked(Reason::space_free);
    CHECK_EQ(world.box.begin("a.2.data", 5, file), Reason::space_free);
}

// The publisher has given the room away that it had granted.
void asking_takes_a_grant_back() {
    World world;
    world.grants(100);
    world.will_answer(Reason::none);
    FileId file = 9;
    CHECK_EQ(world.box.begin("a.1.data", 101, file), Reason::none); // more than was granted
    CHECK_EQ(world.asked().request.op, Op::begin);
    world.will_answer_when_asked(Reason::space_free);
    CHECK_EQ(world.box.begin("a.2.data", 5, file), Reason::space_free);
}

// Whatever a grant does not cover, or the policy does not, is asked: the publisher decides, and tells the
// audit.
void what_is_not_granted_is_asked() {
    struct Case {
        const char* name;
        std::optional<std::uint64_t> size;
        bool any_size;
    };
    for (const Case& c : {Case{"a.1.data", 101, false}, Case{"a.1.data", std::nullopt, false},
                          Case{"b.1.data", 5, true}, Case{"a.txt", 5, true}, Case{"a.1.data", 1001, true}}) {
        World world;
        world.grants(100, c.any_size);
        world.will_answer(Reason::space_free);
        FileId file = 9;
        CHECK_EQ(world.box.begin(c.name, c.size, file), Reason::space_free);
        CHECK_EQ(world.asked().request.op, Op::begin);
    }
    World world;
    world.grants(0, true);
    FileId file = 9;
    CHECK_EQ(world.box.begin("a.1.data", std::nullopt, file), Reason::none); // the control
    CHECK(world.nothing_asked());
}

void session_limits_hold_for_granted_files() {
    World world; // three files a session
    FileId file = 9;
    for (int i = 0; i < 3; ++i) {
        world.grants(100);
        CHECK_EQ(world.box.begin("a.1.data", 1, file), Reason::none);
        CHECK_EQ(world.box.write(file, 0, "x"), Reason::none);
        world.will_answer(Reason::none);
        CHECK_EQ(world.box.commit(file), Reason::none);
        CHECK_EQ(world.asked().request.op, Op::deliver);
    }
    world.grants(100);
    world.will_answer(Reason::session_files);
    CHECK_EQ(world.box.begin("a.1.data", 1, file), Reason::session_files);
    CHECK_EQ(world.asked().request.op, Op::begin);
}

void a_granted_file_that_is_given_up_is_told_by_name() {
    World world;
    world.grants(100);
    FileId file = 9;
    CHECK_EQ(world.box.begin("a.1.data", 5, file), Reason::none);
    CHECK_EQ(world.box.write(file, 0, "he"), Reason::none);
    world.box.abort(file, Reason::incomplete);
    const Received abort = world.asked();
    CHECK_EQ(abort.request.op, Op::abort);
    CHECK_EQ(abort.request.file, drop::k_no_file);
    CHECK_EQ(abort.request.get_text(), "a.1.data");
    CHECK_EQ(abort.request.size, 2U);
}

void a_granted_file_is_renamed_without_asking_to_what_the_key_may_send() {
    World world;
    world.grants(100, true);
    FileId file = 9;
    CHECK_EQ(world.box.begin("a.1.data", std::nullopt, file), Reason::none);
    CHECK_EQ(world.box.rename(file, "a.2.data"), Reason::none);
    world.will_answer(Reason::agent_name);
    CHECK_EQ(world.box.rename(file, "b.2.data"), Reason::agent_name);
    CHECK_EQ(world.asked().request.op, Op::rename);
    world.will_answer(Reason::none);
    CHECK_EQ(world.box.commit(file), Reason::none);
    const Received delivered = world.asked();
    CHECK_EQ(delivered.request.get_text(), "a.2.data");
}

// A client that sends ahead: the next file is let in, filled and handed over while the first is made durable.
void the_next_file_goes_on_while_the_answer_is_owed() {
    World world;
    const FileId first = world.begin();
    CHECK_EQ(world.box.write(first, 0, "one"), Reason::none);
    CHECK(!world.box.commit_ahead(first));
    const Received handed = world.asked();
    CHECK_EQ(handed.request.op, Op::commit);
    CHECK(handed.request.ahead);
    CHECK_EQ(text_of(handed.content), "one");
    world.grants(100);
    FileId second = 99;
    CHECK_EQ(world.box.begin("a.2.data", 3, second), Reason::none);
    CHECK_EQ(world.box.write(second, 0, "two"), Reason::none);
    CHECK(world.nothing_asked());
    world.will_answer(Reason::none);
    CHECK_EQ(world.box.settle(), Reason::none);
    CHECK(!world.box.commit_ahead(second));
    const Received next = world.asked();
    CHECK_EQ(next.request.op, Op::deliver);
    CHECK_EQ(next.request.get_text(), "a.2.data");
    CHECK_EQ(text_of(next.content), "two");
    world.will_answer(Reason::space_free);
    CHECK_EQ(world.box.settle(), Reason::space_free);
    CHECK_EQ(world.box.settle(), Reason::internal); // nothing is owed any more
    CHECK(!world.box.broken());
}

// No room is granted: the next file is asked for, and its answer is the second one.
void answers_keep_their_order() {
    World world;
    const FileId first = world.begin();
    CHECK(!world.box.commit_ahead(first));
    static_cast<void>(world.asked());
    CHECK_EQ(world.box.settle(), Reason::internal); // nobody answers in time
    World other;
    const FileId again = other.begin();
    CHECK(!other.box.commit_ahead(again));
    static_cast<void>(other.asked());
    other.grants(0); // good for nothing
    other.will_answer(Reason::backlog);
    other.will_answer(Reason::paused);
    FileId second = 99;
    CHECK_EQ(other.box.begin("a.2.data", 3, second), Reason::paused);
    CHECK_EQ(other.box.settle(), Reason::backlog);
    CHECK(!other.box.broken());
}

// The limit of a session counts what is on its way, and not what was refused.
void what_is_on_its_way_counts_for_the_session() {
    World world;
    for (const bool refused : {false, true, false, false}) {
        world.grants(100);
        FileId file = 99;
        const Reason begun = world.box.begin("a.1.data", 0, file);
        CHECK_EQ(begun, Reason::none);
        CHECK(!world.box.commit_ahead(file));
        world.grants(100);
        world.will_answer(refused ? Reason::space_free : Reason::none);
        static_cast<void>(world.box.settle());
    }
    while (!world.nothing_asked())
        CHECK_EQ(world.asked().request.op, Op::deliver); // none was asked for
    // The fourth that is taken would be one too many: it is asked for, and the publisher says so.
    world.will_answer_begin(Reason::session_files);
    FileId file = 99;
    CHECK_EQ(world.box.begin("a.1.data", 0, file), Reason::session_files);
}

void a_hole_is_never_owed() {
    World world;
    const FileId file = world.begin();
    CHECK_EQ(world.box.write(file, 5, "x"), Reason::none);
    CHECK(world.box.commit_ahead(file) == Reason::incomplete);
    CHECK_EQ(world.asked().request.op, Op::abort);
}

void an_answer_to_nothing_is_a_failure() {
    World world;
    world.will_answer(Reason::none);
    FileId file = 9;
    CHECK_EQ(world.box.begin("a.1.data", 5, file), Reason::internal);
    CHECK(world.box.broken());
}

// The publisher never hears of a file with a hole as of a whole one.
void a_hole_is_incomplete() {
    World world;
    const FileId file = world.begin();
    CHECK_EQ(world.box.write(file, 1, "x"), Reason::none);
    CHECK_EQ(world.box.commit(file), Reason::incomplete);
    const Received abort = world.asked();
    CHECK_EQ(abort.request.op, Op::abort);
    CHECK_EQ(abort.request.reason, Reason::incomplete);
    CHECK_EQ(abort.request.size, 2U);
    CHECK(!abort.file.valid());
    CHECK(world.nothing_asked());
}

// A cut and a write behind it leave a hole, although the memory holds zeros there.
void a_hole_made_by_truncate_is_incomplete() {
    World world;
    const FileId file = world.begin();
    CHECK_EQ(world.box.write(file, 0, "hello world"), Reason::none);
    CHECK_EQ(world.box.truncate(file, 5), Reason::none);
    CHECK_EQ(world.box.write(file, 6, "x"), Reason::none);
    CHECK_EQ(world.box.commit(file), Reason::incomplete);
    CHECK_EQ(world.asked().request.op, Op::abort);
}

void a_file_is_bounded_and_the_error_stays() {
    for (const std::uint64_t offset :
         {std::uint64_t{991}, std::uint64_t{1000}, std::uint64_t{1001}, UINT64_MAX}) {
        World world;
        const FileId file = world.begin();
        CHECK_EQ(world.box.write(file, 0, "x"), Reason::none);
        CHECK_EQ(world.box.write(file, offset, "0123456789"), Reason::size_file);
        CHECK_EQ(world.box.write(file, 0, "x"), Reason::size_file);
        CHECK_EQ(world.box.truncate(file, 0), Reason::size_file);
        CHECK_EQ(world.box.commit(file), Reason::size_file);
        CHECK_EQ(world.asked().request.reason, Reason::size_file);
        CHECK(world.nothing_asked());
    }
    World world;
    const FileId file = world.begin();
    CHECK_EQ(world.box.write(file, 990, "0123456789"), Reason::none); // the last bytes there may be
}

void all_files_together_are_bounded_too() {
    World world;
    const FileId first = world.begin(0);
    const FileId second = world.begin(1);
    CHECK_EQ(world.box.write(first, 0, std::string(600, 'x')), Reason::none);
    CHECK_EQ(world.box.write(second, 0, std::string(400, 'x')), Reason::none);
    CHECK_EQ(world.box.write(second, 0, std::string(400, 'y')), Reason::none); // nothing new
    CHECK_EQ(world.box.write(second, 400, "z"), Reason::staged_bytes);
    // What is given back may be used again.
    world.box.abort(second, Reason::aborted);
    CHECK_EQ(world.box.write(first, 600, std::string(400, 'x')), Reason::none);
}

void a_publisher_that_is_gone_takes_nothing() {
    World world;
    const FileId file = world.begin();
    CHECK_EQ(world.box.write(file, 0, "x"), Reason::none);
    world.publisher_goes();
    CHECK_EQ(world.box.commit(file), Reason::internal);
    CHECK(world.box.broken());
    FileId other = 0;
    CHECK_EQ(world.box.begin("b.1.data", 1, other), Reason::internal);
    world.box.refused(Reason::read, "x"); // and no signal
}

void refusals_and_aborts_are_told_and_want_no_answer() {
    World world;
    world.box.refused(Reason::read, "/etc/passwd");
    const Received note = world.asked();
    CHECK_EQ(note.request.op, Op::note);
    CHECK_EQ(note.request.reason, Reason::read);
    CHECK_EQ(note.request.get_text(), "/etc/passwd");
    const FileId file = world.begin();
    CHECK_EQ(world.box.write(file, 0, "abc"), Reason::none);
    world.box.abort(file, Reason::client_error);
    const Received abort = world.asked();
    CHECK_EQ(abort.request.op, Op::abort);
    CHECK_EQ(abort.request.size, 3U);
    CHECK_EQ(abort.request.reason, Reason::client_error);
    CHECK(!world.box.broken());
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(begin_says_name_and_size),
        GATE_TEST(small_content_rides_in_the_message),
        GATE_TEST(large_content_is_handed_over_sealed),
        GATE_TEST(what_is_handed_over_has_been_read),
        GATE_TEST(an_empty_file_is_handed_over_too),
        GATE_TEST(truncate_cuts_what_is_handed_over),
        GATE_TEST(a_hole_is_incomplete),
        GATE_TEST(a_hole_made_by_truncate_is_incomplete),
        GATE_TEST(a_file_is_bounded_and_the_error_stays),
        GATE_TEST(all_files_together_are_bounded_too),
        GATE_TEST(a_publisher_that_is_gone_takes_nothing),
        GATE_TEST(the_next_file_goes_on_while_the_answer_is_owed),
        GATE_TEST(answers_keep_their_order),
        GATE_TEST(what_is_on_its_way_counts_for_the_session),
        GATE_TEST(a_hole_is_never_owed),
        GATE_TEST(an_answer_to_nothing_is_a_failure),
        GATE_TEST(a_granted_file_is_one_question),
        GATE_TEST(asking_takes_a_grant_back),
        GATE_TEST(what_is_not_granted_is_asked),
        GATE_TEST(session_limits_hold_for_granted_files),
        GATE_TEST(a_granted_file_that_is_given_up_is_told_by_name),
        GATE_TEST(a_granted_file_is_renamed_without_asking_to_what_the_key_may_send),
        GATE_TEST(refusals_and_aborts_are_told_and_want_no_answer),
    };
    return cmocka_run_group_tests_name("drop_remote", tests, nullptr, nullptr);
}
