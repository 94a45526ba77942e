// What a session does while others of its key wait for it: as little as makes drops happen once. Nothing that
// waits for a disk is done under a lock.
#include "tests/unit/intake_world.h"

#include "lib/spool/record_file.h"

#include <map>
#include <sys/file.h>

using namespace gate;
using spool::Reason;
using test::IntakeWorld;
using Op = test::FakeFs::Op;

namespace {

bool is_locked(const std::string& path) {
    const Fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    CHECK(fd.valid());
    return ::flock(fd.get(), LOCK_SH | LOCK_NB) != 0;
}

// What is done, and whether the file was locked then.
std::map<Op, bool> deliver_and_look(IntakeWorld& world, const std::string& path, std::string_view agent) {
    std::map<Op, bool> out;
    static_cast<void>(world.session());
    world.fs.before = [&](Op op) { out[op] = is_locked(path) || out[op]; };
    CHECK_EQ(world.deliver("a.1.data", "1", agent), Reason::none);
    world.fs.before = nullptr;
    CHECK(!is_locked(path));
    return out;
}

// Of two sessions that send the same, the later one finds what the earlier one remembers: between the look
// and the memory of it nobody comes.
void the_name_is_given_under_the_lock_and_nothing_else() {
    IntakeWorld world;
    const auto locked = deliver_and_look(world, world.memory_file(), "a");
    for (const Op op : {Op::open_tmpfile, Op::write, Op::sync_data, Op::link_fd, Op::sync_directory}) {
        CHECK_MSG(locked.contains(op), test::show(op));
        CHECK_MSG(locked.at(op) == (op == Op::link_fd), test::show(op));
    }
}

void a_packet_is_put_away_under_no_lock() {
    for (const bool sum : {true, false}) {
        IntakeWorld world;
        const std::string path =
            sum ? world.state.directory + '/' + spool::k_quarantine_usage_name : world.memory_file();
        for (const auto& [op, locked] : deliver_and_look(world, path, "b"))
            CHECK_MSG(!locked, test::show(op));
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(the_name_is_given_under_the_lock_and_nothing_else),
        GATE_TEST(a_packet_is_put_away_under_no_lock),
    };
    return cmocka_run_group_tests_name("drop_locks", tests, nullptr, nullptr);
}
