// lib/spool: reserving and publishing as it should go, and what other processes do at the same time.
#include "tests/unit/support.h"

#include "lib/spool/name.h"
#include "lib/spool/spool.h"
#include "tests/unit/fake_fs.h"

#include <algorithm>
#include <set>
#include <sys/file.h>

using namespace gate;
using namespace gate::spool;
using test::FakeFs;
using Op = test::FakeFs::Op;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

std::set<std::string> names_in(const std::string& directory) {
    std::set<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(directory))
        out.insert(entry.path().filename());
    return out;
}

struct World {
    explicit World(keyring::StagingMethod method = keyring::StagingMethod::automatic) {
        policy.spool_directory = dir / "data_in";
        policy.spool_staging = dir / "staging";
        policy.spool_staging_method = method;
        std::filesystem::create_directory(policy.spool_directory);
        std::filesystem::create_directory(policy.spool_staging);
    }
    Result<Spool> open() { return Spool::open(policy, fs); }
    Result<Published> drop(std::string_view name, std::string_view content) {
        GATE_TRY(Spool spool, open());
        GATE_TRY(Reservation reservation, spool.reserve(content.size()));
        return spool.publish(std::move(reservation), name, bytes_of(content));
    }
    std::string in(std::string_view name) const { return policy.spool_directory + '/' + std::string(name); }
    std::string staged(std::string_view name) const { return policy.spool_staging + '/' + std::string(name); }

    test::TempDir dir;
    keyring::Policy policy;
    FakeFs fs;
};

constexpr keyring::StagingMethod k_methods[] = {keyring::StagingMethod::automatic,
                                                keyring::StagingMethod::named};

void a_file_arrives_under_its_name() {
    for (const auto method : k_methods) {
        World world(method);
        const auto published = world.drop("web1.17.data", "<agent_data/>");
        CHECK_OK(published);
        CHECK_EQ(published->name, "web1.17.data");
        CHECK(published->synced);
        CHECK_EQ(test::read_file(world.in("web1.17.data")), "<agent_data/>");
        CHECK(names_in(world.policy.spool_staging).empty());
    }
}

void a_taken_name_gets_more_digits_and_both_survive() {
    for (const auto method : k_methods) {
        World world(method);
        std::set<std::string> names;
        for (int i = 0; i < 20; ++i) {
            const auto published = world.drop("web1.17.data", std::to_string(i));
            CHECK_OK(published);
            CHECK(names.insert(published->name).second);
            CHECK_EQ(test::read_file(world.in(published->name)), std::to_string(i));
            FileName parsed;
            CHECK_EQ(parse_file_name(published->name, parsed), Reason::none);
            CHECK_EQ(parsed.agent, "web1");
        }
        CHECK_EQ(test::read_file(world.in("web1.17.data")), "0");
        CHECK_EQ(names_in(world.policy.spool_directory), names);
    }
}

// Whatever holds the name, a link that leads out of data_in too: it is left alone.
void nothing_that_holds_the_name_is_followed_or_replaced() {
    for (const auto method : k_methods) {
        World world(method);
        test::write_file(world.dir / "elsewhere", "precious");
        CHECK(::symlink((world.dir / "elsewhere").c_str(), world.in("a.1.data").c_str()) == 0);
        CHECK(::symlink("nowhere", world.in("a.2.data").c_str()) == 0);
        CHECK(::mkdir(world.in("a.3.data").c_str(), 0755) == 0);
        for (const std::string_view name : {"a.1.data", "a.2.data", "a.3.data"}) {
            const auto published = world.drop(name, "new");
            CHECK_OK(published);
            CHECK(published->name != name);
            CHECK_EQ(test::read_file(world.in(published->name)), "new");
        }
        CHECK_EQ(test::read_file(world.dir / "elsewhere"), "precious");
        CHECK_EQ(names_in(world.policy.spool_directory).size(), 6U);
    }
}

void the_mode_is_the_policy_s_whatever_the_umask() {
    for (const auto method : k_methods) {
        for (const mode_t mode : {0660U, 0600U, 0644U}) {
            World world(method);
            world.policy.spool_mode = mode;
            const mode_t before = ::umask(077);
            const auto published = world.drop("web1.17.data", "x");
            ::umask(before);
            CHECK_OK(published);
            struct stat st {};
            CHECK(::stat(world.in("web1.17.data").c_str(), &st) == 0);
            CHECK_EQ(st.st_mode & 07777, mode);
            CHECK_EQ(st.st_nlink, 1U);
        }
    }
}

void the_group_is_set_only_when_the_policy_has_one() {
    World world;
    CHECK_OK(world.drop("web1.17.data", "x"));
    CHECK(std::ranges::count(world.fs.calls, Op::set_group) == 0);
    world.policy.spool_gid = ::getgid();
    CHECK_OK(world.drop("web1.18.data", "x"));
    CHECK(std::ranges::count(world.fs.calls, Op::set_group) == 1);
}

// fallocate keeps its blocks behind the end of the file until somebody cuts it there.
void a_reservation_leaves_no_allocated_tail() {
    constexpr std::uint64_t k_reserved = 2'000'000;
    for (const auto method : k_methods) {
        World world(method);
        auto spool = world.open();
        CHECK_OK(spool);
        auto reservation = spool->reserve(k_reserved);
        CHECK_OK(reservation);
        CHECK_OK(spool->publish(std::move(*reservation), "web1.17.data", bytes_of("340 bytes or so")));
        struct stat st {};
        CHECK(::stat(world.in("web1.17.data").c_str(), &st) == 0);
        CHECK_EQ(st.st_size, 15);
        CHECK_MSG(static_cast<std::uint64_t>(st.st_blocks) * 512 < 100'000, std::to_string(st.st_blocks));
    }
}

// Room that was made in whole blocks, beforehand, costs nothing to give back where it fits; else it is given
// back.
void only_whole_blocks_are_given_back() {
    for (const auto& [reserved, cut] : {std::pair{4096U, false}, {4097U, true}, {8192U, true}}) {
        World world;
        auto spool = world.open();
        CHECK_OK(spool);
        auto reservation = spool->reserve(reserved);
        CHECK_OK(reservation);
        CHECK_OK(spool->publish(std::move(*reservation), "web1.17.data", bytes_of("short")));
        CHECK_EQ(std::ranges::count(world.fs.calls, Op::truncate), cut ? 1 : 0);
    }
}

// Where an unnamed file cannot be given a name (no /proc and an old kernel), the file is made again with one.
void an_unnamed_file_that_cannot_be_named_is_made_again_with_a_name() {
    World world;
    world.fs.no_link_fd = true;
    const auto published = world.drop("web1.17.data", "whole");
    CHECK_OK(published);
    CHECK_EQ(test::read_file(world.in("web1.17.data")), "whole");
    CHECK(names_in(world.policy.spool_staging).empty());
    CHECK(std::ranges::count(world.fs.calls, Op::link_name) == 1);
}

void the_order_is_content_sync_name_sync() {
    const auto order = [](World& world) {
        CHECK_OK(world.drop("web1.17.data", "x"));
        std::vector<Op> out;
        for (const Op op : world.fs.calls) {
            if (op == Op::write || op == Op::sync_data || op == Op::sync_directory || op == Op::link_fd ||
                op == Op::link_name || op == Op::set_mode || op == Op::truncate)
                out.push_back(op);
        }
        return out;
    };
    using enum keyring::Durability;
    for (const auto method : k_methods) {
        const Op link = method == keyring::StagingMethod::named ? Op::link_name : Op::link_fd;
        std::vector<Op> expected{Op::set_mode, Op::write, Op::sync_data, link, Op::sync_directory};
        for (const auto durability : {full, file, none}) {
            World world(method);
            world.policy.spool_durability = durability;
            if (durability == file)
                expected.pop_back();
            if (durability == none)
                expected.erase(expected.begin() + 2);
            CHECK(order(world) == expected);
        }
    }
}

void an_abandoned_reservation_leaves_nothing() {
    for (const auto method : k_methods) {
        World world(method);
        {
            auto spool = world.open();
            CHECK_OK(spool);
            auto first = spool->reserve(100);
            auto second = spool->reserve(std::nullopt);
            CHECK_OK(first);
            CHECK_OK(second);
            const Reservation moved = std::move(*first);
            const std::size_t visible = method == keyring::StagingMethod::named ? 2 : 0;
            CHECK_EQ(names_in(world.policy.spool_staging).size(), visible);
        }
        CHECK(names_in(world.policy.spool_staging).empty());
        CHECK(names_in(world.policy.spool_directory).empty());
    }
}

void leftovers_go_but_what_somebody_writes_stays() {
    World world(keyring::StagingMethod::named);
    auto alive = world.open();
    CHECK_OK(alive);
    auto reservation = alive->reserve(5);
    CHECK_OK(reservation);
    const std::set<std::string> held = names_in(world.policy.spool_staging);
    CHECK_EQ(held.size(), 1U);
    test::write_file(world.staged("drop-1-1"), "half");
    test::write_file(world.staged("drop-1-2"), "");
    test::write_file(world.staged("not ours"), "x");
    CHECK(::mkdir(world.staged("drop-directory").c_str(), 0755) == 0);
    CHECK(::mkfifo(world.staged("drop-fifo").c_str(), 0644) == 0); // must not make the sweep wait
    auto sweeper = world.open();
    CHECK_OK(sweeper);
    CHECK_EQ(sweeper->leftovers_removed(), 3U);
    std::set<std::string> expected = held;
    expected.insert({"not ours", "drop-directory"});
    CHECK(names_in(world.policy.spool_staging) == expected);
    CHECK_OK(alive->publish(std::move(*reservation), "web1.17.data", bytes_of("whole")));
    CHECK_EQ(test::read_file(world.in("web1.17.data")), "whole");
    CHECK_EQ(world.open()->leftovers_removed(), 0U);
}

// Between the creation of a staging file and its lock, another session's start may take it for a leftover.
void a_staging_file_swept_before_its_lock_is_made_again() {
    World world(keyring::StagingMethod::named);
    int swept = 0;
    world.fs.after_create = [&](const char* name) {
        if (swept++ == 0)
            CHECK(::unlink(world.staged(name).c_str()) == 0);
    };
    const auto published = world.drop("web1.17.data", "whole");
    CHECK_OK(published);
    CHECK_EQ(swept, 2);
    CHECK_EQ(test::read_file(world.in("web1.17.data")), "whole");
    CHECK(names_in(world.policy.spool_staging).empty());
}

void a_staging_file_locked_by_a_sweep_is_made_again() {
    World world(keyring::StagingMethod::named);
    Fd sweep;
    world.fs.after_create = [&](const char* name) {
        if (sweep.valid())
            return;
        sweep.reset(::open(world.staged(name).c_str(), O_RDONLY | O_CLOEXEC));
        CHECK(::flock(sweep.get(), LOCK_EX | LOCK_NB) == 0);
    };
    CHECK_OK(world.drop("web1.17.data", "whole"));
    CHECK_EQ(test::read_file(world.in("web1.17.data")), "whole");
}

// NFS repeats a request whose answer was lost, and reports that the name is taken: by the file itself.
void a_link_that_worked_and_reported_failure_publishes_once() {
    World clean(keyring::StagingMethod::named);
    CHECK_OK(clean.drop("web1.17.data", "whole"));
    const auto link = std::ranges::find(clean.fs.calls, Op::link_name);
    for (const int error : {EEXIST, EIO}) {
        World world(keyring::StagingMethod::named);
        world.fs.fail_at = static_cast<unsigned>(link - clean.fs.calls.begin()) + 1;
        world.fs.error = error;
        world.fs.after = true;
        const auto published = world.drop("web1.17.data", "whole");
        CHECK_OK(published);
        CHECK_EQ(published->name, "web1.17.data");
        CHECK_EQ(names_in(world.policy.spool_directory).size(), 1U);
        CHECK(names_in(world.policy.spool_staging).empty());
    }
}

void a_write_that_takes_nothing_is_an_error_and_no_loop() {
    World world;
    world.fs.max_write = 0;
    CHECK_ERR(world.drop("web1.17.data", "x"), Errc::system);
    CHECK(names_in(world.policy.spool_directory).empty());
}

void directories_must_be_real_and_on_one_volume() {
    World world;
    CHECK_OK(world.open());
    const keyring::Policy good = world.policy;
    world.policy.spool_directory = world.dir / "missing";
    CHECK_ERR(world.open(), Errc::missing);
    CHECK(::symlink("data_in", (world.dir / "link").c_str()) == 0);
    world.policy.spool_directory = world.dir / "link";
    CHECK_ERR(world.open(), Errc::not_regular);
    test::write_file(world.dir / "file", "");
    world.policy.spool_directory = world.dir / "file";
    CHECK_ERR(world.open(), Errc::not_regular);
    world.policy = good;
    world.policy.spool_staging = "/proc";
    CHECK_ERR(world.open(), Errc::bad_input);
}

void free_space_is_that_of_the_volume() {
    World world;
    const auto spool = world.open();
    CHECK_OK(spool);
    const auto space = spool->free_space();
    CHECK_OK(space);
    CHECK(space->total > 0 && space->available <= space->total && space->files > 0);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(a_file_arrives_under_its_name),
        GATE_TEST(a_taken_name_gets_more_digits_and_both_survive),
        GATE_TEST(nothing_that_holds_the_name_is_followed_or_replaced),
        GATE_TEST(the_mode_is_the_policy_s_whatever_the_umask),
        GATE_TEST(the_group_is_set_only_when_the_policy_has_one),
        GATE_TEST(a_reservation_leaves_no_allocated_tail),
        GATE_TEST(only_whole_blocks_are_given_back),
        GATE_TEST(an_unnamed_file_that_cannot_be_named_is_made_again_with_a_name),
        GATE_TEST(the_order_is_content_sync_name_sync),
        GATE_TEST(an_abandoned_reservation_leaves_nothing),
        GATE_TEST(leftovers_go_but_what_somebody_writes_stays),
        GATE_TEST(a_staging_file_swept_before_its_lock_is_made_again),
        GATE_TEST(a_staging_file_locked_by_a_sweep_is_made_again),
        GATE_TEST(a_link_that_worked_and_reported_failure_publishes_once),
        GATE_TEST(a_write_that_takes_nothing_is_an_error_and_no_loop),
        GATE_TEST(directories_must_be_real_and_on_one_volume),
        GATE_TEST(free_space_is_that_of_the_volume),
    };
    return cmocka_run_group_tests_name("spool_publish", tests, nullptr, nullptr);
}
