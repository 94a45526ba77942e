// authkeys, how often it tells that the keyring cannot be used: once a minute, of two at once one, and always
// when it cannot know.
#include "tests/unit/support.h"

#include "authkeys_cmd/ration.h"

#include <sys/file.h>
#include <sys/wait.h>

using namespace gate;
using namespace gate::authkeys;
using test::TempDir;

namespace {

constexpr const char* k_name = "keyring.missing";
constexpr std::int64_t k_now = 1'800'000'000;

void once_a_minute_and_the_others_are_counted() {
    const TempDir dir;
    const auto take = [&](std::int64_t now) { return take_ration(dir.path().c_str(), k_name, now); };
    CHECK(take(k_now).tell);
    for (const std::int64_t later : {0, 1, 30, 59})
        CHECK(!take(k_now + later).tell);
    const Ration next = take(k_now + 60);
    CHECK(next.tell);
    CHECK_EQ(next.repeated, 4U);
    CHECK(!take(k_now + 119).tell); // a minute from the last that was told, not from the last
    const Ration after = take(k_now + 120);
    CHECK(after.tell);
    CHECK_EQ(after.repeated, 1U);
    CHECK_EQ(take(k_now + 1000).repeated, 0U);
}

void each_kind_has_its_own() {
    const TempDir dir;
    CHECK(take_ration(dir.path().c_str(), "keyring.missing", k_now).tell);
    CHECK(take_ration(dir.path().c_str(), "keyring.damaged", k_now).tell);
    CHECK(!take_ration(dir.path().c_str(), "keyring.missing", k_now).tell);
}

void a_clock_that_was_put_back_silences_nobody() {
    const TempDir dir;
    CHECK(take_ration(dir.path().c_str(), k_name, k_now + 86'400).tell);
    CHECK(take_ration(dir.path().c_str(), k_name, k_now).tell);
    CHECK(!take_ration(dir.path().c_str(), k_name, k_now + 1).tell);
}

void twice(const std::string& directory) {
    CHECK(take_ration(directory.c_str(), k_name, k_now).tell);
    CHECK(take_ration(directory.c_str(), k_name, k_now).tell);
}

void a_directory_that_cannot_be_trusted_silences_nobody() {
    const TempDir dir;
    twice(dir / "none");
    CHECK(::mkdir((dir / "loose").c_str(), 0700) == 0 && ::chmod((dir / "loose").c_str(), 0770) == 0);
    twice(dir / "loose");
    CHECK(::mkdir((dir / "real").c_str(), 0700) == 0 && ::symlink("real", (dir / "link").c_str()) == 0);
    twice(dir / "link");
    test::write_file(dir / "file", "");
    twice(dir / "file");
    if (::geteuid() == 0) {
        CHECK(::mkdir((dir / "theirs").c_str(), 0700) == 0 &&
              ::chown((dir / "theirs").c_str(), 65534, 65534) == 0);
        twice(dir / "theirs");
    }
    // The control.
    CHECK(take_ration((dir / "real").c_str(), k_name, k_now).tell);
    CHECK(!take_ration((dir / "real").c_str(), k_name, k_now).tell);
}

void a_file_that_is_none_of_ours_silences_nobody() {
    const TempDir dir;
    const std::string path = dir / k_name;
    test::write_file(dir / "target", "keep");
    CHECK(::symlink("target", path.c_str()) == 0);
    twice(dir.path());
    CHECK_EQ(test::read_file(dir / "target"), "keep");
    CHECK(::unlink(path.c_str()) == 0 && ::link((dir / "target").c_str(), path.c_str()) == 0);
    twice(dir.path());
    CHECK_EQ(test::read_file(dir / "target"), "keep");
    CHECK(::unlink(path.c_str()) == 0 && ::mkfifo(path.c_str(), 0600) == 0);
    twice(dir.path());
    CHECK(::unlink(path.c_str()) == 0);
    test::write_file(path, "short", 0600);
    const Ration first = take_ration(dir.path().c_str(), k_name, k_now);
    CHECK(first.tell);
    CHECK_EQ(first.repeated, 0U);
    CHECK(!take_ration(dir.path().c_str(), k_name, k_now).tell);
}

void of_many_at_once_one_tells() {
    const TempDir dir;
    constexpr int k_children = 40;
    int gate[2];
    CHECK(::pipe2(gate, O_CLOEXEC) == 0);
    Fd wait{gate[0]};
    Fd open{gate[1]};
    for (int i = 0; i < k_children; ++i) {
        if (::fork() == 0) {
            open.reset();
            char c = 0;
            static_cast<void>(::read(wait.get(), &c, 1) == 0); // until all are there
            ::_exit(take_ration(dir.path().c_str(), k_name, k_now).tell ? 1 : 0);
        }
    }
    open.reset();
    int told = 0;
    for (int i = 0; i < k_children; ++i) {
        int status = 0;
        CHECK(::wait(&status) > 0);
        CHECK(WIFEXITED(status));
        told += WEXITSTATUS(status);
    }
    CHECK_EQ(told, 1);
}

void one_that_is_being_told_is_not_waited_for() {
    const TempDir dir;
    const Fd file{::open((dir / k_name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
    CHECK(::flock(file.get(), LOCK_EX) == 0);
    CHECK(!take_ration(dir.path().c_str(), k_name, k_now).tell);
    CHECK(::flock(file.get(), LOCK_UN) == 0);
    CHECK(take_ration(dir.path().c_str(), k_name, k_now).tell);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(once_a_minute_and_the_others_are_counted),
        GATE_TEST(each_kind_has_its_own),
        GATE_TEST(a_clock_that_was_put_back_silences_nobody),
        GATE_TEST(a_directory_that_cannot_be_trusted_silences_nobody),
        GATE_TEST(a_file_that_is_none_of_ours_silences_nobody),
        GATE_TEST(of_many_at_once_one_tells),
        GATE_TEST(one_that_is_being_told_is_not_waited_for),
    };
    return cmocka_run_group_tests_name("authkeys_ration", tests, nullptr, nullptr);
}
