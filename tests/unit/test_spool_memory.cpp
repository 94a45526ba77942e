// lib/spool/memory: the ring of a key's drops, shared by its sessions, through growth, damage, races and
// clocks.
#include "tests/unit/support.h"

#include "lib/spool/memory.h"
#include "lib/spool/record_file.h"

#include <sys/wait.h>

using namespace gate;
using spool::DropDigest;
using spool::Memory;

namespace {

constexpr std::int64_t k_second = 1'000'000;
constexpr std::int64_t k_now = 1'800'000'000 * k_second;

DropDigest digest(std::uint64_t number) {
    DropDigest out{};
    std::memcpy(out.data(), &number, sizeof number);
    out.back() = 1;
    return out;
}

class World {
  public:
    keyring::Policy policy;
    World() : dir_fd_(::open(dir_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}
    // Another session of the same key.
    [[nodiscard]] std::unique_ptr<Memory> session() {
        auto memory = std::make_unique<Memory>(policy);
        CHECK_OK(memory->open(dir_fd_.get(), "k-1", ::geteuid()));
        return memory;
    }
    [[nodiscard]] std::string file() const { return dir_ / "k-1"; }

  private:
    test::TempDir dir_;
    Fd dir_fd_;
};

void sessions_know_of_each_other() {
    World world;
    auto one = world.session();
    auto two = world.session();
    Memory::Hold(*one, k_now).remember(digest(1), 10);
    CHECK(Memory::Hold(*two, k_now).knows(digest(1)));
    Memory::Hold(*two, k_now).remember(digest(2), 20);
    Memory::Hold hold(*one, k_now + k_second);
    CHECK(hold.knows(digest(1)) && hold.knows(digest(2)) && !hold.knows(digest(3)));
    CHECK_EQ(hold.recent().files, 2U);
    CHECK_EQ(hold.recent().bytes, 30U);
}

void what_was_withdrawn_is_unknown_to_all() {
    World world;
    auto one = world.session();
    Memory::Hold(*one, k_now).remember(digest(1), 10);
    Memory::Hold(*one, k_now).remember(digest(2), 10);
    Memory::Hold(*one, k_now).withdraw(digest(1));
    auto later = world.session();
    for (Memory* memory : {one.get(), later.get()}) {
        Memory::Hold hold(*memory, k_now);
        CHECK(!hold.knows(digest(1)) && hold.knows(digest(2)));
        CHECK_EQ(hold.recent().files, 1U);
        CHECK_EQ(hold.recent().bytes, 10U);
    }
}

// The file holds what has to be remembered and not much more.
void the_ring_grows_with_what_matters() {
    World world;
    auto memory = world.session();
    // One drop in five minutes, for ten days: a dozen matter at a time.
    for (std::uint64_t n = 0; n < 2880; ++n)
        Memory::Hold(*memory, k_now + static_cast<std::int64_t>(n) * 300 * k_second).remember(digest(n), 1);
    const std::int64_t end = k_now + 2880 * 300 * k_second;
    CHECK(std::filesystem::file_size(world.file()) <= 4096 + 64 * 48);
    CHECK(Memory::Hold(*memory, end).knows(digest(2879)) && !Memory::Hold(*memory, end).knows(digest(2800)));
    // A broker: all of an hour's.
    for (std::uint64_t n = 10'000; n < 14'000; ++n)
        Memory::Hold(*memory, end).remember(digest(n), 1);
    auto later = world.session();
    for (Memory* each : {memory.get(), later.get()}) {
        Memory::Hold hold(*each, end);
        for (std::uint64_t n = 10'000; n < 14'000; ++n)
            CHECK(hold.knows(digest(n)));
        CHECK_EQ(hold.recent().files, 4000U);
    }
    // At its limit the oldest goes.
    for (std::uint64_t n = 14'000; n < 15'000; ++n)
        Memory::Hold(*memory, end).remember(digest(n), 1);
    CHECK_EQ(std::filesystem::file_size(world.file()), 4096U + spool::k_least_remembered * 48U);
    auto last = world.session();
    Memory::Hold hold(*last, end);
    CHECK(hold.knows(digest(14'999)) && hold.knows(digest(15'000 - spool::k_least_remembered)) &&
          !hold.knows(digest(15'000 - spool::k_least_remembered - 1)));
}

// Sums that are kept up to date are those of a fresh look.
void sums_are_right_at_any_time() {
    World world;
    world.policy.quota_window = 60;
    auto random = test::seeded();
    std::vector<std::pair<std::int64_t, std::uint64_t>> drops;
    auto memory = world.session();
    auto other = world.session();
    std::int64_t now = k_now;
    for (std::uint64_t n = 0; n < 3000; ++n) {
        now += static_cast<std::int64_t>(random() % (2 * k_second));
        const std::uint64_t size = random() % 1000;
        Memory::Hold(random() % 3 == 0 ? *other : *memory, now).remember(digest(n), size);
        drops.emplace_back(now, size);
        std::uint64_t files = 0;
        std::uint64_t bytes = 0;
        for (const auto& [time, of_it] : drops) {
            files += time > now - 60 * k_second ? 1U : 0U;
            bytes += time > now - 60 * k_second ? of_it : 0U;
        }
        const auto sum = Memory::Hold(*memory, now).recent();
        CHECK_EQ(sum.files, files);
        CHECK_EQ(sum.bytes, bytes);
    }
}

void a_clock_that_was_set_back_is_told_and_locks_nobody_out() {
    World world;
    auto memory = world.session();
    for (std::uint64_t n = 0; n < 10; ++n)
        Memory::Hold(*memory, k_now + 86'400 * k_second).remember(digest(n), 1);
    CHECK(!memory->take_trouble());
    {
        Memory::Hold hold(*memory, k_now);
        CHECK_EQ(hold.recent().files, 0U);
        CHECK(!hold.knows(digest(3))); // a day away
        hold.remember(digest(100), 1);
        CHECK(hold.knows(digest(100)));
    }
    const auto told = memory->take_trouble();
    CHECK(told && std::string_view(told->what).find("clock") != std::string_view::npos);
    CHECK_EQ(Memory::Hold(*memory, k_now).recent().files, 1U);
    CHECK(!memory->take_trouble());
    // By less than the window: the same drop is still the same.
    Memory::Hold(*memory, k_now).remember(digest(200), 1);
    CHECK(Memory::Hold(*memory, k_now - 600 * k_second).knows(digest(200)));
}

void damage_is_told_and_never_believed() {
    World world;
    {
        auto memory = world.session();
        for (std::uint64_t n = 0; n < 100; ++n)
            Memory::Hold(*memory, k_now).remember(digest(n), 7);
    }
    const std::string good = test::read_file(world.file());
    auto random = test::seeded();
    unsigned told = 0;
    for (int round = 0; round < 2000; ++round) {
        std::string bad = good;
        const std::size_t at = random() % bad.size();
        const bool cut = round % 4 == 0;
        if (cut)
            bad.resize(at);
        else
            bad[at] ^= static_cast<char>(1U << (random() % 8));
        test::write_file(world.file(), bad, 0600);
        auto memory = world.session();
        std::uint64_t known = 0;
        {
            Memory::Hold hold(*memory, k_now);
            for (std::uint64_t n = 0; n < 100; ++n)
                known += hold.knows(digest(n)) ? 1U : 0U;
            CHECK(hold.recent().files <= 100 && hold.recent().bytes <= 700);
            CHECK(!hold.knows(digest(1000)));
            hold.remember(digest(1000), 7);
            CHECK(hold.knows(digest(1000)));
        }
        CHECK(Memory::Hold(*world.session(), k_now).knows(digest(1000)));
        const bool in_the_header = memory->take_trouble().has_value();
        told += in_the_header ? 1U : 0U;
        CHECK_MSG(cut || in_the_header == (at < 4096), test::show(at));
        CHECK(in_the_header || known > 0 || bad.size() <= 4096 + 48); // what is lost, is lost by the entry
    }
    CHECK(told > 100);
}

// Killed at any point, the file is still one: sessions are killed while others go on.
void killed_sessions_leave_a_memory_that_works() {
    World world;
    for (int round = 0; round < 60; ++round) {
        const pid_t child = ::fork();
        if (child == 0) {
            auto memory = world.session();
            for (std::uint64_t n = 0;; ++n)
                Memory::Hold(*memory, k_now)
                    .remember(digest(1'000'000U * static_cast<unsigned>(round) + n), 1);
        }
        ::usleep(static_cast<useconds_t>(500 + round * 50));
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        auto memory = world.session();
        Memory::Hold(*memory, k_now).remember(digest(5), 1);
        CHECK(Memory::Hold(*memory, k_now).knows(digest(5)));
        CHECK(!memory->take_trouble());
    }
    CHECK(std::filesystem::file_size(world.file()) > 4096 + 64 * 48);
}

// Eight sessions at once: nothing is lost, and nobody waits for long.
void sessions_at_once_lose_nothing() {
    World world;
    constexpr unsigned k_sessions = 8;
    constexpr unsigned k_drops = 200;
    for (unsigned s = 0; s < k_sessions; ++s) {
        if (::fork() == 0) {
            auto memory = world.session();
            for (unsigned n = 0; n < k_drops; ++n)
                Memory::Hold(*memory, k_now).remember(digest(s * 1000 + n), 3);
            ::_exit(memory->take_trouble() ? 1 : 0);
        }
    }
    int status = 0;
    while (::wait(&status) > 0)
        CHECK_EQ(status, 0);
    auto memory = world.session();
    Memory::Hold hold(*memory, k_now);
    CHECK_EQ(hold.recent().files, k_sessions * k_drops);
    for (unsigned s = 0; s < k_sessions; ++s)
        for (unsigned n = 0; n < k_drops; ++n)
            CHECK(hold.knows(digest(s * 1000 + n)));
}

void a_refusal_is_told_once_in_its_window() {
    World world;
    world.policy.audit_repeat_window = 100;
    auto memory = world.session();
    const auto tell = [&](std::uint64_t what, std::int64_t second) {
        return Memory::Hold(*memory, k_now + second * k_second).tell(what);
    };
    CHECK(tell(1, 0) == 0U);
    CHECK(!tell(1, 1) && !tell(1, 99));
    CHECK(tell(2, 50) == 0U);
    memory = world.session(); // remembered beyond the session
    CHECK(!tell(1, 99));
    CHECK(tell(1, 100) == 3U);
    CHECK(!tell(1, 101));
    // More kinds than there is room for: each is told, the oldest is forgotten first.
    for (std::uint64_t what = 100; what < 100 + spool::k_repeats; ++what)
        CHECK(tell(what, 110) == 0U);
    CHECK(!tell(100, 111));
    CHECK(tell(2, 112) == 0U);
    // The clock is set back, by a little and by much.
    CHECK(tell(3, 1000) == 0U);
    CHECK(!tell(3, 950));
    CHECK(tell(3, 200) == 1U);
}

void learning_takes_three() {
    World world;
    auto memory = world.session();
    const std::string longest(300, 'x');
    CHECK(!Memory::Hold(*memory, k_now).learn("web1"));
    CHECK(!Memory::Hold(*memory, k_now).learn("web1"));
    CHECK(!spool::read_learned(world.file(), ::geteuid())->proposes());
    CHECK(Memory::Hold(*memory, k_now).learn("web1"));
    CHECK(!Memory::Hold(*memory, k_now).learn("web1"));
    CHECK(spool::read_learned(world.file(), ::geteuid())->proposes());
    std::filesystem::remove(world.file());
    memory = world.session();
    for (int i = 0; i < 3; ++i)
        static_cast<void>(Memory::Hold(*memory, k_now).learn(longest));
    const auto learned = spool::read_learned(world.file(), ::geteuid());
    CHECK_OK(learned);
    CHECK_EQ(learned->names[2], longest.substr(0, 200));
    CHECK_ERR(spool::read_learned(world.file() + "x", ::geteuid()), Errc::missing);
    CHECK_ERR(spool::read_learned(world.file(), ::geteuid() + 1), Errc::wrong_owner);
}

void the_digest_is_of_name_and_content() {
    const Sha256 one = sha256(as_bytes("one"));
    const Sha256 two = sha256(as_bytes("two"));
    CHECK(spool::digest_of_drop("a", one) == spool::digest_of_drop("a", one));
    CHECK(spool::digest_of_drop("a", one) != spool::digest_of_drop("a", two));
    CHECK(spool::digest_of_drop("a", one) != spool::digest_of_drop("b", one));
    CHECK(spool::digest_of_drop("", one) != spool::digest_of_drop("a", one));
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(sessions_know_of_each_other),
        GATE_TEST(what_was_withdrawn_is_unknown_to_all),
        GATE_TEST(the_ring_grows_with_what_matters),
        GATE_TEST(sums_are_right_at_any_time),
        GATE_TEST(a_clock_that_was_set_back_is_told_and_locks_nobody_out),
        GATE_TEST(damage_is_told_and_never_believed),
        GATE_TEST(killed_sessions_leave_a_memory_that_works),
        GATE_TEST(sessions_at_once_lose_nothing),
        GATE_TEST(a_refusal_is_told_once_in_its_window),
        GATE_TEST(learning_takes_three),
        GATE_TEST(the_digest_is_of_name_and_content),
    };
    return cmocka_run_group_tests_name("spool_memory", tests, nullptr, nullptr);
}
