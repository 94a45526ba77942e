// lib/spool under kill -9: a child process does a drop and is killed before, and after, its 1st, 2nd, ...
// call of the seam, until a run completes. Whatever the moment: data_in holds the whole file or nothing, and
// what was acknowledged is there. An unnamed staging file leaves nothing; a named one is removed by the next
// session.
#include "tests/unit/support.h"

#include "lib/base/file.h"
#include "lib/spool/name.h"
#include "lib/spool/spool.h"

#include <array>
#include <csignal>
#include <map>
#include <sys/wait.h>
#include <type_traits>

using namespace gate;
using namespace gate::spool;

namespace {

constexpr std::string_view k_name = "web1.17.data";
constexpr std::string_view k_other = "what lay there before";
constexpr unsigned k_more_than_a_drop_needs = 100;

enum class Method { tmpfile, fallback, named, rename };

// The real file system, up to the n-th call.
class DeadlyFs final : public Fs {
  public:
    DeadlyFs(Method method, unsigned kill_at, bool after, std::size_t max_write)
        : method_(method), kill_at_(kill_at), after_(after), max_write_(max_write) {}

    Result<Fd> open_tmpfile(int dir, mode_t mode) override {
        if (method_ == Method::fallback)
            return fail(Errc::not_found, "no unnamed files here", EOPNOTSUPP);
        return call([&] { return Fs::open_tmpfile(dir, mode); });
    }
    Result<Fd> create(int dir, const char* name, mode_t mode) override {
        return call([&] { return Fs::create(dir, name, mode); });
    }
    Result<std::size_t> write(int fd, std::span<const std::byte> bytes) override {
        return call([&] { return Fs::write(fd, bytes.first(std::min(bytes.size(), max_write_))); });
    }
    Result<void> reserve(int fd, std::uint64_t bytes) override {
        return call([&] { return Fs::reserve(fd, bytes); });
    }
    Result<void> truncate(int fd, std::uint64_t bytes) override {
        return call([&] { return Fs::truncate(fd, bytes); });
    }
    Result<void> set_mode(int fd, mode_t mode) override {
        return call([&] { return Fs::set_mode(fd, mode); });
    }
    Result<void> set_group(int fd, gid_t group) override {
        return call([&] { return Fs::set_group(fd, group); });
    }
    // No disk is waited for: what a kill leaves is in memory, synced or not.
    Result<void> sync_data(int) override {
        return call([] { return Result<void>{}; });
    }
    Result<void> sync_directory(int) override {
        return call([] { return Result<void>{}; });
    }
    Result<void> link_fd(int fd, int to_dir, const char* to_name) override {
        return call([&] { return Fs::link_fd(fd, to_dir, to_name); });
    }
    Result<void> link_name(int from_dir, const char* from, int to_dir, const char* to) override {
        if (method_ == Method::rename)
            return fail(Errc::system, "cannot link the file", EPERM);
        return call([&] { return Fs::link_name(from_dir, from, to_dir, to); });
    }
    Result<void> rename_new(int from_dir, const char* from, int to_dir, const char* to) override {
        return call([&] { return Fs::rename_new(from_dir, from, to_dir, to); });
    }
    Result<void> unlink(int dir, const char* name) override {
        return call([&] { return Fs::unlink(dir, name); });
    }
    Result<FreeSpace> free_space(int dir) override {
        return call([&] { return Fs::free_space(dir); });
    }

  private:
    template<class Work>
    std::invoke_result_t<Work> call(Work work) {
        const bool now = ++calls_ == kill_at_;
        if (now && !after_)
            ::raise(SIGKILL);
        auto done = work();
        if (now)
            ::raise(SIGKILL);
        return done;
    }

    const Method method_;
    const unsigned kill_at_;
    const bool after_;
    const std::size_t max_write_;
    unsigned calls_ = 0;
};

struct Counts {
    unsigned injected = 0;
    unsigned absent = 0;
    unsigned whole = 0;
    unsigned acknowledged = 0; // among the whole ones
    unsigned leftovers = 0;
};

using Files = std::map<std::string, std::string>;

Files files_in(const std::string& directory) {
    Files out;
    for (const auto& entry : std::filesystem::directory_iterator(directory))
        out[entry.path().filename()] = test::read_file(entry.path());
    return out;
}

class World {
  public:
    World(Method method, bool collision) : method_(method), collision_(collision) {
        policy_.spool_directory = dir_ / "data_in";
        policy_.spool_staging = dir_ / "staging";
        policy_.spool_durability = keyring::Durability::full;
        policy_.spool_staging_method = method == Method::tmpfile || method == Method::fallback
                                           ? keyring::StagingMethod::automatic
                                           : keyring::StagingMethod::named;
        std::filesystem::create_directory(policy_.spool_directory);
        std::filesystem::create_directory(policy_.spool_staging);
    }

    // One drop of a process that is killed at its n-th call; false when it came to its end.
    bool run(unsigned n, bool after, Counts& counts) {
        clear();
        if (collision_)
            test::write_file(taken_, k_other);
        int status = 0;
        const bool acknowledged = drop(n, after, status);
        const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        where_ = "call " + std::to_string(n) + (after ? ", after" : ", before");
        CHECK_MSG(killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0), where_);
        check(acknowledged, killed, counts);
        return killed;
    }

  private:
    // True if it was acknowledged: a byte came through the pipe, as an answer goes to a client.
    bool drop(unsigned n, bool after, int& status) {
        std::array<int, 2> ends{};
        CHECK(::pipe2(ends.data(), O_CLOEXEC) == 0);
        const Fd from{ends[0]};
        Fd to{ends[1]};
        const pid_t pid = ::fork();
        CHECK(pid >= 0);
        if (pid == 0)
            ::_exit(child(n, after, to.get()) ? 0 : 1);
        to.reset();
        char byte = 0;
        const bool acknowledged = ::read(from.get(), &byte, 1) == 1;
        CHECK(::waitpid(pid, &status, 0) == pid);
        return acknowledged;
    }

    bool child(unsigned n, bool after, int to) const {
        DeadlyFs fs(method_, n, after, content_.size() / 3 + 1);
        auto spool = Spool::open(policy_, fs);
        if (!spool)
            return false;
        // More than comes, so that the rest is given back.
        auto reservation = spool->reserve(content_.size() + 10'000);
        if (!reservation)
            return false;
        const auto done = spool->publish(std::move(*reservation), k_name, std::as_bytes(std::span(content_)));
        return done && done->synced && ::write(to, "", 1) == 1; // and then the reservation ends
    }

    void check(bool acknowledged, bool killed, Counts& counts) {
        Files files = files_in(policy_.spool_directory);
        if (collision_) {
            CHECK_MSG(files[std::string(k_name)] == k_other, where_ + ": what was there was changed");
            files.erase(std::string(k_name));
        }
        CHECK_MSG(files.size() <= 1, where_ + ": there twice");
        for (const auto& [name, bytes] : files) {
            CHECK_MSG(bytes == content_, where_ + ": " + name + " is not whole");
            FileName parsed;
            CHECK_MSG(parse_file_name(name, parsed) == Reason::none && parsed.agent == "web1", name);
        }
        CHECK_MSG(!acknowledged || files.size() == 1, where_ + ": acknowledged, but not there");
        CHECK_MSG(acknowledged || killed, where_);
        const std::size_t left = files_in(policy_.spool_staging).size();
        CHECK_MSG(left <= (killed && method_ != Method::tmpfile ? 1U : 0U),
                  where_ + ": staging is not empty");
        Fs next;
        auto spool = Spool::open(policy_, next);
        CHECK_OK(spool);
        CHECK_EQ(spool->leftovers_removed(), left);
        CHECK(files_in(policy_.spool_staging).empty());
        CHECK_MSG(files_in(policy_.spool_directory).size() == files.size() + (collision_ ? 1 : 0),
                  where_ + ": the next session took a delivered file away");
        if (!killed)
            return;
        ++counts.injected;
        ++(files.empty() ? counts.absent : counts.whole);
        counts.acknowledged += acknowledged ? 1 : 0;
        counts.leftovers += left != 0 ? 1 : 0;
    }

    void clear() {
        for (const std::string& directory : {policy_.spool_directory, policy_.spool_staging}) {
            for (const auto& entry : std::filesystem::directory_iterator(directory))
                std::filesystem::remove(entry.path());
        }
    }

    test::TempDir dir_;
    const Method method_;
    const bool collision_;
    const std::string content_ = std::string(9'000, 'x') + "the end";
    keyring::Policy policy_;
    const std::string taken_ = dir_ / "data_in/web1.17.data";
    std::string where_;
};

void kill_at_every_call(Method method, const char* title) {
    Counts counts;
    for (const bool collision : {false, true}) {
        for (const bool after : {false, true}) {
            World world(method, collision);
            unsigned n = 1;
            while (world.run(n, after, counts)) {
                CHECK(n < k_more_than_a_drop_needs);
                ++n;
            }
        }
    }
    print_message(
        "%s: killed %u times, %u absent, %u whole (%u of them acknowledged), %u left something in staging\n",
        title, counts.injected, counts.absent, counts.whole, counts.acknowledged, counts.leftovers);
    CHECK(counts.injected > 0 && counts.absent > 0 && counts.whole > 0);
    CHECK_EQ(counts.leftovers > 0, method != Method::tmpfile);
}

void killed_with_unnamed_staging() {
    kill_at_every_call(Method::tmpfile, "unnamed");
}

void killed_where_there_is_no_tmpfile() {
    kill_at_every_call(Method::fallback, "no O_TMPFILE");
}

void killed_with_named_staging() {
    kill_at_every_call(Method::named, "named");
}

void killed_where_there_are_no_links() {
    kill_at_every_call(Method::rename, "no links");
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(killed_with_unnamed_staging),
        GATE_TEST(killed_where_there_is_no_tmpfile),
        GATE_TEST(killed_with_named_staging),
        GATE_TEST(killed_where_there_are_no_links),
    };
    return cmocka_run_group_tests_name("spool kills", tests, nullptr, nullptr);
}
