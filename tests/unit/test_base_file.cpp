// lib/base/file: what is opened, and what is not.
#include "tests/unit/support.h"

#include "lib/base/file.h"

#include <span>
#include <vector>

using namespace gate;
using test::TempDir;
using test::write_file;

namespace {

void a_regular_file_is_opened_close_on_exec() {
    const TempDir dir;
    write_file(dir / "f", "abc");
    const auto fd = open_regular((dir / "f").c_str());
    CHECK_OK(fd);
    CHECK((::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC) != 0);
    const auto all = read_all(fd->get(), 3);
    CHECK_OK(all);
    CHECK_EQ(*all, "abc");
}

void a_missing_file_is_missing() {
    const TempDir dir;
    CHECK_ERR(open_regular((dir / "f").c_str()), Errc::missing);
}

void links_are_not_followed() {
    const TempDir dir;
    write_file(dir / "f", "abc");
    CHECK(::symlink((dir / "f").c_str(), (dir / "l").c_str()) == 0);
    CHECK(::symlink("nowhere", (dir / "dangling").c_str()) == 0);
    CHECK_ERR(open_regular((dir / "l").c_str()), Errc::not_regular);
    CHECK_ERR(open_regular((dir / "dangling").c_str()), Errc::not_regular);
}

// A FIFO without a writer would block a plain open for ever.
void fifos_directories_and_devices_are_refused_at_once() {
    const TempDir dir;
    CHECK(::mkfifo((dir / "p").c_str(), 0644) == 0);
    CHECK_ERR(open_regular((dir / "p").c_str()), Errc::not_regular);
    CHECK_ERR(open_regular(dir.path().c_str()), Errc::not_regular);
    CHECK_ERR(open_regular("/dev/null"), Errc::not_regular);
}

void a_file_below_a_file_is_an_error_of_the_system() {
    const TempDir dir;
    write_file(dir / "f", "");
    const auto fd = open_regular((dir / "f/g").c_str());
    CHECK_ERR(fd, Errc::system);
    CHECK_EQ(fd.error().sys_errno, ENOTDIR);
}

void trust_asks_for_the_owner() {
    const TempDir dir;
    write_file(dir / "f", "");
    CHECK_OK(open_trusted((dir / "f").c_str(), ::geteuid()));
    CHECK_ERR(open_trusted((dir / "f").c_str(), ::geteuid() + 1), Errc::wrong_owner);
}

void trust_refuses_what_others_can_write() {
    const TempDir dir;
    for (const mode_t mode : {0400U, 0444U, 0600U, 0644U, 0755U, 0640U}) {
        write_file(dir / "f", "", mode);
        CHECK_OK(open_trusted((dir / "f").c_str(), ::geteuid()));
        ::unlink((dir / "f").c_str());
    }
    for (const mode_t mode : {0620U, 0602U, 0664U, 0666U, 0777U, 0646U}) {
        write_file(dir / "f", "", mode);
        CHECK_ERR(open_trusted((dir / "f").c_str(), ::geteuid()), Errc::writable);
    }
}

void exact_reads_stop_at_the_end() {
    const TempDir dir;
    write_file(dir / "f", "0123456789");
    const auto fd = open_regular((dir / "f").c_str());
    CHECK_OK(fd);
    std::vector<std::byte> four(4);
    CHECK_OK(read_exact_at(fd->get(), four, 6));
    CHECK_EQ(static_cast<char>(four[0]), '6');
    CHECK_ERR(read_exact_at(fd->get(), four, 7), Errc::truncated);
    CHECK_ERR(read_exact_at(fd->get(), four, 1000), Errc::truncated);
    CHECK_OK(read_exact_at(fd->get(), {}, 1000));
    CHECK_ERR(read_exact_at(fd->get(), four, UINT64_MAX), Errc::system);
}

void the_cap_of_a_whole_read_is_exact() {
    const TempDir dir;
    write_file(dir / "f", std::string(10'000, 'x'));
    for (const std::size_t cap : {std::size_t{0}, std::size_t{1}, std::size_t{4096}, std::size_t{9'999}}) {
        const auto fd = open_regular((dir / "f").c_str());
        CHECK_OK(fd);
        CHECK_ERR(read_all(fd->get(), cap), Errc::too_large);
    }
    const auto fd = open_regular((dir / "f").c_str());
    CHECK_OK(fd);
    const auto all = read_all(fd->get(), 10'000);
    CHECK_OK(all);
    CHECK_EQ(all->size(), 10'000U);
}

void a_full_device_is_no_space() {
    const Fd full{::open("/dev/full", O_WRONLY | O_CLOEXEC)};
    CHECK(full.valid());
    const std::string bytes = "x";
    CHECK_ERR(write_all(full.get(), std::as_bytes(std::span(bytes))), Errc::no_space);
}

void a_descriptor_has_one_owner_and_keeps_errno() {
    Fd a{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    const int number = a.get();
    Fd b = std::move(a);
    CHECK_EQ(b.get(), number);
    CHECK(!a.valid()); // NOLINT(bugprone-use-after-move): that is the question
    errno = 1234;
    b.reset();
    CHECK_EQ(errno, 1234);
    CHECK_EQ(::fcntl(number, F_GETFD), -1);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(a_regular_file_is_opened_close_on_exec),
        GATE_TEST(a_missing_file_is_missing),
        GATE_TEST(links_are_not_followed),
        GATE_TEST(fifos_directories_and_devices_are_refused_at_once),
        GATE_TEST(a_file_below_a_file_is_an_error_of_the_system),
        GATE_TEST(trust_asks_for_the_owner),
        GATE_TEST(trust_refuses_what_others_can_write),
        GATE_TEST(exact_reads_stop_at_the_end),
        GATE_TEST(the_cap_of_a_whole_read_is_exact),
        GATE_TEST(a_full_device_is_no_space),
        GATE_TEST(a_descriptor_has_one_owner_and_keeps_errno),
    };
    return cmocka_run_group_tests_name("base_file", tests, nullptr, nullptr);
}
