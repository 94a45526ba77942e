// The sandbox of the sweep: each call that taking an upload needs, beside its nearest neighbours, which end
// the process; and Landlock alone, where the filter cannot look.
#include "tests/unit/support_child.h"

#include "ftpsweep/confine.h"
#include "lib/base/fs.h"
#include "lib/sandbox/filter.h"
#include "lib/sandbox/landlock.h"

#include <array>
#include <csignal>
#include <functional>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

using namespace gate;
using test::error_of;
using test::in_child;
using test::k_killed;

namespace {

constexpr int k_make = O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC;
constexpr unsigned k_noreplace = 1;

struct Place {
    Place() {
        for (const char* name : {"data_in", "staging", "quarantine", "in", "in/.held", "other"})
            std::filesystem::create_directory(dir / name);
        test::write_file(dir / "data_in/old", "old");
        test::write_file(dir / "other/secret", "secret");
        reset();
        data_in = open("data_in");
        staging = open("staging");
        quarantine = open("quarantine");
        in = open("in");
        held = open("in/.held");
    }
    void reset() const {
        test::write_file(dir / "in/a.1.data", "upload");
        test::write_file(dir / "staging/drop-1", "staged");
        for (const char* gone : {"data_in/new", "quarantine/new", "in/.held/a.1.data"})
            std::filesystem::remove(dir / gone);
    }
    [[nodiscard]] Fd open(std::string_view name) const {
        return Fd{::open((dir / name).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    }
    test::TempDir dir;
    Fd data_in, staging, quarantine, in, held;
};

#ifndef __SANITIZE_ADDRESS__ // where no filter is
int enter(const Place& p) {
    return sandbox::filter_sweep({.log = 77,
                                  .staging = p.staging.get(),
                                  .targets = {p.data_in.get(), p.quarantine.get()},
                                  .inboxes = {p.in.get(), p.held.get()},
                                  .checker = 12345})
               ? 0
               : 99;
}

int run(const Place& p, const std::function<long()>& call) {
    p.reset();
    return in_child([&] { return enter(p) + error_of(call()); });
}

void an_upload_can_be_looked_at_taken_and_removed() {
    const Place p;
    const auto upload = [&] { return ::openat(p.in.get(), "a.1.data", sandbox::k_open_upload); };
    const auto read = [&]() -> long {
        std::array<char, 100> buffer{};
        struct flock lock {};
        lock.l_type = F_RDLCK;
        struct stat st {};
        const int fd = upload();
        return fd >= 0 && ::pread(fd, buffer.data(), buffer.size(), 0) == 6 &&
                       ::fcntl(fd, F_GETLK, &lock) == 0 && stat_fd(fd, st)
                   ? 0
                   : -1;
    };
    CHECK_EQ(run(p, read), 0);
    CHECK_EQ(run(p, [&] { return ::openat(p.held.get(), "none", sandbox::k_open_upload); }), ENOENT);
    CHECK_EQ(run(p, [&] { return ::unlinkat(p.in.get(), "a.1.data", 0); }), 0);
    CHECK(!std::filesystem::exists(p.dir / "in/a.1.data"));
    CHECK_EQ(run(p, [&] { return ::unlinkat(p.held.get(), "none", 0); }), ENOENT);
    CHECK_EQ(run(p, [&] { return ::renameat2(p.in.get(), "a.1.data", p.held.get(), "a.1.data", 0); }), 0);
    CHECK(std::filesystem::exists(p.dir / "in/.held/a.1.data"));
    CHECK_EQ(run(p, [&] { return ::openat(p.staging.get(), "drop-2", k_make, 0660); }), 0);
    for (const int target : {p.data_in.get(), p.quarantine.get()})
        CHECK_EQ(run(p, [&] { return ::renameat2(p.staging.get(), "drop-1", target, "new", k_noreplace); }),
                 0);
    CHECK_EQ(run(p, [&] { return ::unlinkat(p.staging.get(), "drop-1", 0); }), 0);
    CHECK_EQ(run(p, [] { return ::kill(12345, SIGKILL) != 0 && errno == ESRCH ? 0 : 1; }), 0);
}

void everything_else_ends_it() {
    const Place p;
    const int in = p.in.get();
    const int held = p.held.get();
    const int data_in = p.data_in.get();
    const int staging = p.staging.get();
    const std::string secret = p.dir / "other/secret";
    const std::pair<const char*, std::function<long()>> table[] = {
        {"open by path", [&] { return ::open(secret.c_str(), sandbox::k_open_upload); }},
        {"open for writing",
         [&] { return ::openat(in, "a.1.data", O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC); }},
        {"open for both",
         [&] { return ::openat(in, "a.1.data", O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC); }},
        {"truncate", [&] { return ::openat(in, "a.1.data", sandbox::k_open_upload | O_TRUNC); }},
        {"follow links", [&] { return ::openat(in, "a.1.data", sandbox::k_open_upload & ~O_NOFOLLOW); }},
        {"wait for it", [&] { return ::openat(in, "a.1.data", sandbox::k_open_upload & ~O_NONBLOCK); }},
        {"inherit it", [&] { return ::openat(in, "a.1.data", sandbox::k_open_upload & ~O_CLOEXEC); }},
        {"create in inbox", [&] { return ::openat(in, "new", k_make, 0600); }},
        {"create in data_in", [&] { return ::openat(data_in, "new", k_make, 0600); }},
        {"read data_in", [&] { return ::openat(data_in, "old", sandbox::k_open_upload); }},
        {"read staging", [&] { return ::openat(staging, "drop-1", sandbox::k_open_upload); }},
        {"open again what is staged",
         [&] { return ::openat(staging, "drop-1", O_WRONLY | O_NOFOLLOW | O_CLOEXEC); }},
        {"stage something that runs", [&] { return ::openat(staging, "drop-2", k_make, 0700); }},
        {"unnamed", [&] { return ::openat(staging, k_here, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600); }},
        {"unlink in data_in", [&] { return ::unlinkat(data_in, "old", 0); }},
        {"rmdir", [&] { return ::unlinkat(in, ".held", AT_REMOVEDIR); }},
        {"unlink by path", [&] { return ::unlink(secret.c_str()); }},
        {"rename in data_in", [&] { return ::renameat2(data_in, "old", data_in, "new", k_noreplace); }},
        {"rename out of data_in", [&] { return ::renameat2(data_in, "old", held, "old", 0); }},
        {"replace in data_in", [&] { return ::renameat2(staging, "drop-1", data_in, "old", 0); }},
        {"replace in data_in, by its number", // a C library makes renameat(2) of the one before
         [&] { return ::syscall(SYS_renameat2, staging, "drop-1", data_in, "old", 0); }},
        {"exchange with data_in", [&] { return ::renameat2(staging, "drop-1", data_in, "old", 2); }},
        {"move an upload itself", [&] { return ::renameat2(in, "a.1.data", data_in, "new", k_noreplace); }},
        {"link an upload itself", [&] { return ::linkat(in, "a.1.data", data_in, "new", 0); }},
        {"link an upload into held", [&] { return ::linkat(in, "a.1.data", held, "new", 0); }},
        {"back from held", [&] { return ::renameat2(held, "a.1.data", in, "a.1.data", 0); }},
        {"link in data_in", [&] { return ::linkat(data_in, "old", data_in, "new", 0); }},
        {"symlink", [&] { return ::symlinkat("/etc", staging, "new"); }},
        {"mkdir", [&] { return ::mkdirat(in, "new", 0700); }},
        {"list",
         [&] {
             std::array<char, 1024> entries{};
             return ::syscall(SYS_getdents64, in, entries.data(), entries.size());
         }},
        {"stat by name",
         [&] {
             struct stat st {};
             return ::fstatat(data_in, "old", &st, 0);
         }},
        {"set-id", [&] { return ::fchmod(in, 04755); }},
        {"give away", [&] { return ::fchown(in, 1, static_cast<gid_t>(-1)); }},
        {"take a lock",
         [&] {
             struct flock lock {};
             lock.l_type = F_RDLCK;
             return ::fcntl(in, F_SETLK, &lock);
         }},
        {"dup", [&] { return ::dup(in); }},
        {"exec", [] { return ::execl("/bin/true", "true", nullptr); }},
        {"fork", [] { return ::fork(); }},
        {"socket", [] { return ::socket(AF_INET, SOCK_STREAM, 0); }},
        {"local socket", [] { return ::socket(AF_UNIX, SOCK_DGRAM, 0); }},
        {"send elsewhere", [&] { return ::sendto(78, "x", 1, 0, nullptr, 0); }},
        {"kill another", [] { return ::kill(12346, SIGKILL); }},
        {"another signal", [] { return ::kill(12345, SIGTERM); }},
        {"ptrace", [] { return ::syscall(SYS_ptrace, 16, 1, 0, 0); }},
        {"mount", [] { return ::syscall(SYS_mount, nullptr, "/", nullptr, 0, nullptr); }},
        {"dumpable", [] { return ::syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0); }},
    };
    for (const auto& [what, call] : table)
        CHECK_MSG(run(p, call) == k_killed, what);
    CHECK_EQ(test::read_file(p.dir / "data_in/old"), "old");
    CHECK(!std::filesystem::exists(p.dir / "data_in/new"));
}

// The checker has no channel but 0 and 1, and parses.
void the_checker_reads_and_answers() {
    const auto child = [](const std::function<long()>& call) {
        return in_child([&] { return sandbox::filter_front(-1) ? error_of(call()) : 99; });
    };
    CHECK_EQ(child([] { return ::write(STDOUT_FILENO, "", 0); }), 0);
    CHECK_EQ(child([] { return ::open("/etc/passwd", O_RDONLY); }), k_killed);
    CHECK_EQ(child([] { return ::sendmsg(3, nullptr, 0); }), k_killed);
    CHECK_EQ(child([] { return ::socket(AF_UNIX, SOCK_DGRAM, 0); }), k_killed);
}
#endif

// Where the filter cannot look: at names. As confine() grants it.
void landlock_keeps_it_in_its_directories() {
    const int abi = sandbox::landlock_abi();
    if (abi < 2)
        SKIP_TEST("this kernel has no Landlock, or the first");
    const Place p;
    const auto run = [&](const std::function<long()>& call) {
        p.reset();
        return in_child([&] {
            sweep::Parts parts;
            parts.data_in = p.data_in.get();
            parts.staging = p.staging.get();
            parts.quarantine = p.quarantine.get();
            parts.uploads = p.in.get();
            parts.held = p.held.get();
            const auto rights = sweep::rights_of(parts);
            if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
                !sandbox::restrict_files(abi, rights, sandbox::Signals::anyone))
                return 99;
            return error_of(call());
        });
    };
    const int in = p.in.get();
    const int staging = p.staging.get();
    CHECK_EQ(run([&] { return ::openat(in, "a.1.data", sandbox::k_open_upload); }), 0);
    CHECK_EQ(run([&] { return ::openat(in, ".held", sandbox::k_open_upload); }), 0); // seen to be no file
    CHECK_EQ(run([&] { return ::openat(in, "../other/secret", sandbox::k_open_upload); }), EACCES);
    CHECK_EQ(run([&] { return ::openat(in, "../data_in/old", sandbox::k_open_upload); }), EACCES);
    CHECK_EQ(run([&] { return ::openat(in, "a.1.data", O_WRONLY); }), EACCES);
    CHECK_EQ(run([&] { return ::openat(in, "new", k_make, 0600); }), EACCES);
    CHECK_EQ(run([&] { return ::mknodat(in, "new", S_IFREG | 0600, 0); }), EACCES);
    CHECK_EQ(run([&] { return ::renameat2(staging, "drop-1", in, "new", 1); }), EACCES);
    CHECK_EQ(run([&] { return ::unlinkat(in, "../data_in/old", 0); }), EACCES);
    CHECK_EQ(run([&] { return ::unlinkat(staging, "../data_in/old", 0); }), EACCES);
    CHECK_EQ(run([&] { return ::unlinkat(in, "a.1.data", 0); }), 0);
    CHECK_EQ(run([&] { return ::renameat2(staging, "../data_in/old", p.quarantine.get(), "new", 1); }),
             EACCES);
    CHECK_EQ(run([&] { return ::renameat2(staging, "drop-1", p.data_in.get(), "../other/new", 1); }), EACCES);
    CHECK_EQ(run([&] { return ::renameat2(staging, "drop-1", p.data_in.get(), "new", 1); }), 0);
    CHECK_EQ(run([&] { return ::renameat2(in, "a.1.data", p.held.get(), "a.1.data", 0); }), 0);
    CHECK_EQ(test::read_file(p.dir / "data_in/old"), "old");
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
#ifndef __SANITIZE_ADDRESS__
        GATE_TEST(an_upload_can_be_looked_at_taken_and_removed),
        GATE_TEST(everything_else_ends_it),
        GATE_TEST(the_checker_reads_and_answers),
#endif
        GATE_TEST(landlock_keeps_it_in_its_directories),
    };
    return cmocka_run_group_tests_name("sweep filter", tests, nullptr, nullptr);
}
