// lib/keyring/writer: whatever fails, and whenever: the old keyring is there, or the new one, whole.
//
// The system calls that publish makes are replaced here, so that the n-th of them can fail.
#include "tests/unit/support_keyring.h"

#include <cstdio>
#include <sys/syscall.h>

namespace {

struct Fault {
    bool armed = false;
    bool everything_after = false; // a full disk stays full
    int countdown = 0;             // calls that still succeed
    int error = 0;
    int injected = 0;
    bool shorten = false; // writes take half of what they are given
};
Fault g_fault;

[[nodiscard]] bool fails() {
    if (!g_fault.armed || g_fault.countdown-- > 0)
        return false;
    if (!g_fault.everything_after && g_fault.injected > 0)
        return false;
    ++g_fault.injected;
    errno = g_fault.error;
    return true;
}

} // namespace

extern "C" {
ssize_t write(int fd, const void* data, size_t size) {
    if (fails())
        return -1;
    const size_t part = g_fault.shorten && size > 1 ? size / 2 : size;
    return syscall(SYS_write, fd, data, part);
}
int fsync(int fd) {
    return fails() ? -1 : static_cast<int>(syscall(SYS_fsync, fd));
}
int fchmod(int fd, mode_t mode) noexcept {
    return fails() ? -1 : static_cast<int>(syscall(SYS_fchmod, fd, mode));
}
int link(const char* from, const char* to) noexcept {
    return fails() ? -1 : static_cast<int>(syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
}
int rename(const char* from, const char* to) noexcept {
    return fails() ? -1 : static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
}

using namespace gate;
using namespace gate::keyring;
using test::TempDir;

namespace {

constexpr std::size_t k_keys = 100;

[[nodiscard]] Contents contents(std::uint64_t generation) {
    auto random = test::seeded();
    return test::make_contents(k_keys, random, generation);
}

// The generation of a keyring that is whole, 0 for one that is missing.
[[nodiscard]] std::uint64_t generation_of(const std::string& path) {
    const auto reader = Reader::open(path.c_str(), ::geteuid());
    if (!reader && reader.error().code == Errc::missing)
        return 0;
    CHECK_OK(reader);
    CHECK_OK(reader->verify());
    CHECK_EQ(reader->header().key_count, k_keys);
    return reader->header().generation;
}

[[nodiscard]] bool there(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

[[nodiscard]] Result<void> publish_generation(const std::string& path, std::uint64_t generation) {
    return publish(path, contents(generation), ::geteuid());
}

void the_first_keyring_has_no_previous() {
    const TempDir dir;
    const std::string path = dir / "keyring";
    CHECK_OK(publish_generation(path, 1));
    CHECK_EQ(generation_of(path), 1U);
    CHECK(!there(path + ".previous"));
    CHECK(!there(path + ".new"));
    struct stat st {};
    CHECK(::stat(path.c_str(), &st) == 0);
    CHECK_EQ(st.st_mode & 07777U, 0644U);
}

void the_mode_does_not_depend_on_the_umask() {
    const TempDir dir;
    const mode_t before = ::umask(0077);
    const auto done = publish_generation(dir / "keyring", 1);
    ::umask(0);
    const auto again = publish_generation(dir / "keyring", 2);
    ::umask(before);
    CHECK_OK(done);
    CHECK_OK(again);
    struct stat st {};
    CHECK(::stat((dir / "keyring").c_str(), &st) == 0);
    CHECK_EQ(st.st_mode & 07777U, 0644U);
}

void the_previous_generation_is_kept() {
    const TempDir dir;
    const std::string path = dir / "keyring";
    for (std::uint64_t generation = 1; generation <= 4; ++generation)
        CHECK_OK(publish_generation(path, generation));
    CHECK_EQ(generation_of(path), 4U);
    CHECK_EQ(generation_of(path + ".previous"), 3U);
    CHECK(!there(path + ".previous.new"));
}

void a_reader_keeps_the_generation_that_it_opened() {
    const TempDir dir;
    const std::string path = dir / "keyring";
    CHECK_OK(publish_generation(path, 1));
    const auto reader = Reader::open(path.c_str(), ::geteuid());
    CHECK_OK(reader);
    CHECK_OK(publish_generation(path, 2));
    CHECK_OK(publish_generation(path, 3));
    CHECK_EQ(reader->header().generation, 1U);
    CHECK_OK(reader->verify());
}

void left_overs_of_a_killed_publish_do_not_matter() {
    const TempDir dir;
    const std::string path = dir / "keyring";
    CHECK_OK(publish_generation(path, 1));
    test::write_file(path + ".new", "half a keyri");
    test::write_file(path + ".previous.new", "");
    CHECK_OK(publish_generation(path, 2));
    CHECK_EQ(generation_of(path), 2U);
    CHECK_EQ(generation_of(path + ".previous"), 1U);
    CHECK(!there(path + ".new"));
    CHECK(!there(path + ".previous.new"));
}

void a_link_in_the_way_is_not_followed() {
    const TempDir dir;
    const std::string path = dir / "keyring";
    test::write_file(dir / "victim", "precious");
    CHECK(::symlink((dir / "victim").c_str(), (path + ".new").c_str()) == 0);
    CHECK_OK(publish_generation(path, 1));
    CHECK_EQ(test::read_file(dir / "victim"), "precious");
}

void bad_contents_change_nothing() {
    const TempDir dir;
    const std::string path = dir / "keyring";
    CHECK_OK(publish_generation(path, 1));
    Contents twice = contents(2);
    twice.keys.push_back(twice.keys.front());
    CHECK_ERR(publish(path, std::move(twice), ::geteuid()), Errc::bad_input);
    Contents nameless = contents(2);
    nameless.keys.front().id.clear();
    CHECK_ERR(publish(path, std::move(nameless), ::geteuid()), Errc::bad_input);
    Contents huge = contents(2);
    huge.keys.front().blob.resize(k_max_blob + 1);
    CHECK_ERR(publish(path, std::move(huge), ::geteuid()), Errc::too_large);
    Contents broken_policy = contents(2);
    broken_policy.policy.account_user.clear();
    CHECK_ERR(publish(path, std::move(broken_policy), ::geteuid()), Errc::damaged);
    CHECK_EQ(generation_of(path), 1U);
    CHECK(!there(path + ".new"));
}

void readers_that_demand_another_owner_stop_a_publish() {
    const TempDir dir;
    const std::string path = dir / "keyring";
    CHECK_OK(publish_generation(path, 1));
    CHECK_ERR(publish(path, contents(2), ::geteuid() + 1), Errc::wrong_owner);
    CHECK_EQ(generation_of(path), 1U);
    CHECK(!there(path + ".new"));
}

// Fails the 1st, 2nd, ... call until a publish comes through without one.
void fail_each_call_in_turn(int error, bool everything_after) {
    int old_left = 0;
    int new_there = 0;
    for (int n = 0;; ++n) {
        CHECK(n < 1'000);
        const TempDir dir;
        const std::string path = dir / "keyring";
        CHECK_OK(publish_generation(path, 1));
        CHECK_OK(publish_generation(path, 2));
        g_fault = {.armed = true,
                   .everything_after = everything_after,
                   .countdown = n,
                   .error = error,
                   .shorten = true};
        const auto done = publish_generation(path, 3);
        const int injected = g_fault.injected;
        g_fault = {};
        const std::uint64_t now = generation_of(path);
        CHECK(now == 2 || now == 3);
        CHECK(!done || now == 3);
        CHECK(generation_of(path + ".previous") >= 1);
        CHECK_MSG(!there(path + ".new"), "a failed publish keeps the disk full");
        if (injected == 0) {
            CHECK_OK(done);
            break;
        }
        CHECK(!done);
        ++(now == 2 ? old_left : new_there);
        CHECK_OK(publish_generation(path, 4));
        CHECK_EQ(generation_of(path), 4U);
        CHECK_EQ(generation_of(path + ".previous"), now);
        CHECK(!there(path + ".previous.new"));
    }
    CHECK(old_left > 5);
    CHECK_EQ(new_there, 1); // the fsync of the directory
    print_message("%s: the old one stayed %d times, the new one was there %d times\n", std::strerror(error),
                  old_left, new_there);
}

void any_single_failure_leaves_a_whole_keyring() {
    fail_each_call_in_turn(EIO, false);
    fail_each_call_in_turn(EIO, true);
}

void a_full_disk_leaves_the_old_keyring() {
    fail_each_call_in_turn(ENOSPC, true);
    const TempDir dir;
    const std::string path = dir / "keyring";
    CHECK_OK(publish_generation(path, 1));
    g_fault = {.armed = true, .everything_after = true, .countdown = 1, .error = ENOSPC};
    const auto done = publish_generation(path, 2);
    g_fault = {};
    CHECK_ERR(done, Errc::no_space);
    CHECK_EQ(generation_of(path), 1U);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(the_first_keyring_has_no_previous),
        GATE_TEST(the_mode_does_not_depend_on_the_umask),
        GATE_TEST(the_previous_generation_is_kept),
        GATE_TEST(a_reader_keeps_the_generation_that_it_opened),
        GATE_TEST(left_overs_of_a_killed_publish_do_not_matter),
        GATE_TEST(a_link_in_the_way_is_not_followed),
        GATE_TEST(bad_contents_change_nothing),
        GATE_TEST(readers_that_demand_another_owner_stop_a_publish),
        GATE_TEST(any_single_failure_leaves_a_whole_keyring),
        GATE_TEST(a_full_disk_leaves_the_old_keyring),
    };
    return cmocka_run_group_tests_name("keyring_publish", tests, nullptr, nullptr);
}
