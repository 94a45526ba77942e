// forcecmd/front/remote_dropbox: staging in memory, and what is said to the publisher. The publisher here is
// a script: its replies are put into the socket before they are asked for, its requests are read afterwards.
#include "tests/unit/support.h"

#include "forcecmd/front/remote_dropbox.h"
#include "forcecmd/publisher/sealed.h"

#include <optional>
#include <poll.h>

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
    explicit World(std::uint64_t max_file_size = 1000) : World(Channel::make_pair(), max_file_size) {}

    void will_answer(Reason reason, std::uint32_t file = 0) {
        CHECK_OK(publisher_->send(Reply{reason, file}));
    }
    FileId begin(std::uint32_t number = 0) {
        will_answer(Reason::none, number);
        FileId file = 99;
        CHECK_EQ(box.begin("a.1.data", std::nullopt, file), Reason::none);
        CHECK_EQ(file, number);
        CHECK_EQ(asked().request.op, Op::begin);
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

  private:
    World(Result<std::pair<Channel, Channel>> pair, std::uint64_t max_file_size)
        : front_(std::move(pair->first)), publisher_(std::move(pair->second)), box(front_, max_file_size) {}

    Channel front_;
    std::optional<Channel> publisher_;

  public:
    RemoteDropbox box;
};

void begin_says_name_and_size() {
    World world;
    world.will_answer(Reason::none, 5);
    FileId file = 0;
    CHECK_EQ(world.box.begin("a.1.data", 42, file), Reason::none);
    CHECK_EQ(file, 5U);
    const Received known = world.asked();
    CHECK_EQ(known.request.op, Op::begin);
    CHECK_EQ(known.request.get_text(), "a.1.data");
    CHECK_EQ(known.request.size, 42U);
    world.will_answer(Reason::agent_name);
    CHECK_EQ(world.box.begin("b.1.data", std::nullopt, file), Reason::agent_name);
    CHECK_EQ(world.asked().request.size, drop::k_unknown_size);
}

void commit_hands_over_the_bytes_sealed() {
    World world;
    const FileId file = world.begin();
    CHECK_EQ(world.box.write(file, 6, "world"), Reason::none);
    CHECK_EQ(world.box.write(file, 0, "HELLO "), Reason::none);
    CHECK_EQ(world.box.write(file, 0, "hello"), Reason::none);
    CHECK_EQ(world.box.size(file), 11U);
    CHECK(world.nothing_asked()); // content costs no word
    world.will_answer(Reason::none);
    CHECK_EQ(world.box.commit(file), Reason::none);
    const Received commit = world.asked();
    CHECK_EQ(commit.request.op, Op::commit);
    CHECK_EQ(commit.request.file, file);
    const auto sealed = drop::SealedContent::map(commit.file.get(), commit.request.size);
    CHECK_OK(sealed);
    const auto bytes = sealed->bytes();
    CHECK_EQ(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()), "hello world");
    CHECK(::pwrite(commit.file.get(), "x", 1, 0) < 0 && ::ftruncate(commit.file.get(), 0) < 0);
}

void an_empty_file_is_handed_over_too() {
    World world;
    const FileId file = world.begin();
    world.will_answer(Reason::none);
    CHECK_EQ(world.box.commit(file), Reason::none);
    const Received commit = world.asked();
    CHECK_EQ(commit.request.size, 0U);
    CHECK_OK(drop::SealedContent::map(commit.file.get(), 0));
}

void truncate_cuts_what_is_handed_over() {
    World world;
    const FileId file = world.begin();
    CHECK_EQ(world.box.write(file, 0, "hello world"), Reason::none);
    CHECK_EQ(world.box.truncate(file, 12), Reason::incomplete); // no promise of bytes that are not there
    CHECK_EQ(world.box.truncate(file, 5), Reason::none);
    CHECK_EQ(world.box.size(file), 5U);
    world.will_answer(Reason::none);
    CHECK_EQ(world.box.commit(file), Reason::none);
    const Received commit = world.asked();
    CHECK_EQ(commit.request.size, 5U);
    CHECK_OK(drop::SealedContent::map(commit.file.get(), 5));
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

void an_answer_that_makes_no_sense_is_a_failure() {
    World world;
    world.will_answer(Reason::none, drop::k_max_open_files);
    FileId file = 0;
    CHECK_EQ(world.box.begin("a.1.data", 1, file), Reason::internal);
    CHECK(world.box.broken());
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
        GATE_TEST(commit_hands_over_the_bytes_sealed),
        GATE_TEST(an_empty_file_is_handed_over_too),
        GATE_TEST(truncate_cuts_what_is_handed_over),
        GATE_TEST(a_hole_is_incomplete),
        GATE_TEST(a_hole_made_by_truncate_is_incomplete),
        GATE_TEST(a_file_is_bounded_and_the_error_stays),
        GATE_TEST(all_files_together_are_bounded_too),
        GATE_TEST(a_publisher_that_is_gone_takes_nothing),
        GATE_TEST(an_answer_that_makes_no_sense_is_a_failure),
        GATE_TEST(refusals_and_aborts_are_told_and_want_no_answer),
    };
    return cmocka_run_group_tests_name("drop_remote", tests, nullptr, nullptr);
}
