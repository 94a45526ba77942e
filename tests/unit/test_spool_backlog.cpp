// lib/spool/backlog: when the files in data_in are counted, and when a number that somebody has left is
// believed.
#include "tests/unit/support.h"

#include "lib/base/clock.h"
#include "lib/spool/backlog.h"
#include "lib/spool/record_file.h"

using namespace gate;
using spool::Backlog;

namespace {

class World {
  public:
    World() {
        std::filesystem::create_directory(dir_ / "data_in");
        data_in_.reset(::open((dir_ / "data_in").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        state_.reset(::open(dir_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    // Somebody has counted so many, so long ago.
    void leave(std::int64_t age_us, std::uint64_t files) {
        const struct {
            std::int64_t at_us;
            std::uint64_t files;
        } count{wall_clock_us() - age_us, files};
        test::write_file(file(), "", 0600);
        const Fd fd{::open(file().c_str(), O_RDWR | O_CLOEXEC)};
        CHECK_OK(spool::write_record(fd.get(), std::as_bytes(std::span(&count, 1))));
    }
    void put(const std::string& name) { test::write_file(dir_ / "data_in/" + name, "x"); }
    [[nodiscard]] std::string file() const { return dir_ / spool::k_backlog_name; }
    [[nodiscard]] bool has_room(std::uint64_t most) {
        Backlog session;
        CHECK_OK(session.open(state_.get(), data_in_.get(), most));
        return session.room();
    }
    [[nodiscard]] int state() const { return state_.get(); }
    [[nodiscard]] int data_in() const { return data_in_.get(); }

  private:
    test::TempDir dir_;
    Fd data_in_;
    Fd state_;
};

void a_number_is_believed_while_it_is_fresh() {
    World world;
    world.leave(1'000'000, 1);
    CHECK(!world.has_room(1)); // there is no file by now
    world.leave(spool::k_backlog_fresh_us, 1);
    CHECK(world.has_room(1));
    world.leave(-60'000'000, 1); // the clock was set back since
    CHECK(world.has_room(1));
}

void a_damaged_number_is_an_old_one() {
    World world;
    world.put("a.1.data");
    for (const char* bad : {"x", "0123456789abcdef01234567"}) {
        test::write_file(world.file(), bad, 0600);
        CHECK(!world.has_room(1));
        CHECK(world.has_room(2));
    }
}

// A session that goes on for long believes what another one counts meanwhile, and starts from there.
void sessions_see_what_others_count() {
    World world;
    Backlog session;
    CHECK_OK(session.open(world.state(), world.data_in(), 3));
    for (int i = 0; i < 3; ++i) {
        CHECK(session.room());
        session.added();
    }
    CHECK(!session.room());
    world.leave(0, 2);
    CHECK(session.room());
    session.added();
    CHECK(!session.room());
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(a_number_is_believed_while_it_is_fresh),
        GATE_TEST(a_damaged_number_is_an_old_one),
        GATE_TEST(sessions_see_what_others_count),
    };
    return cmocka_run_group_tests_name("spool_backlog", tests, nullptr, nullptr);
}
