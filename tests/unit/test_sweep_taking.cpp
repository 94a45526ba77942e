// Taking an upload: the journal, the process that looks into it, and a pass over real directories whose 1st,
// 2nd,
// ... change of the file system fails, or ends it with an exception.
#include "tests/unit/support.h"

#include "ftpsweep/checker.h"
#include "ftpsweep/journal.h"
#include "ftpsweep/sweeper.h"
#include "lib/keyring/ftp_sender.h"
#include "tests/unit/fake_fs.h"

#include <csignal>
#include <new>
#include <set>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>

// In front of the C library's: no event goes to the machine's logger.
extern "C" ssize_t sendto(int, const void*, size_t size, int, const sockaddr*, socklen_t) {
    return static_cast<ssize_t>(size);
}

using namespace gate;
using namespace gate::sweep;
using test::FakeFs;
using Op = test::FakeFs::Op;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

// --- the journal
// --------------------------------------------------------------------------------------------

struct State {
    State() : fd(::open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}
    [[nodiscard]] Result<Journal> open(int patience_ms = 0) const {
        return Journal::open(fd.get(), "sweep-a", ::geteuid(), patience_ms, true);
    }
    [[nodiscard]] std::string path() const { return dir / "sweep-a"; }
    test::TempDir dir;
    Fd fd;
};

Taking taking(const std::string& name = "web01.1.data") {
    return {.name = name,
            .held = true,
            .staged = "drop-1-2",
            .staging = 6,
            .identity = {.device = 1, .inode = 2, .size = 3, .modified_ns = 4, .changed_ns = 5}};
}

void a_journal_tells_what_was_begun() {
    const State state;
    {
        auto journal = state.open();
        CHECK_OK(journal);
        CHECK(!*journal->read());
        CHECK_OK(journal->begin(taking(std::string(255, 'n'))));
        const auto now = journal->read();
        CHECK_OK(now);
        CHECK_EQ((*now)->name, std::string(255, 'n'));
        CHECK_OK(journal->begin(taking()));
    }
    auto next = state.open(); // of the next pass
    CHECK_OK(next);
    const auto found = next->read();
    CHECK_OK(found);
    CHECK(found->has_value());
    CHECK_EQ((*found)->name, "web01.1.data");
    CHECK((*found)->held);
    CHECK_EQ((*found)->staged, "drop-1-2");
    CHECK_EQ((*found)->staging, 6U);
    CHECK((*found)->identity == taking().identity);
    CHECK_OK(next->end());
    CHECK(!*next->read());
    struct stat st {};
    CHECK_EQ(::stat(state.path().c_str(), &st), 0);
    CHECK_EQ(st.st_mode & 07777, mode_t{0600});
}

void what_cannot_be_told_is_not_begun() {
    const State state;
    auto journal = state.open();
    CHECK_OK(journal);
    CHECK_ERR(journal->begin(taking(std::string(256, 'n'))), Errc::bad_input);
    auto nameless = taking();
    nameless.staged.clear();
    CHECK_ERR(journal->begin(nameless), Errc::bad_input);
    CHECK(!*journal->read());
}

// Cut anywhere, or with any byte changed: no entry, and never another one.
void a_torn_or_damaged_entry_is_none() {
    const State state;
    CHECK_OK(state.open()->begin(taking()));
    const std::string whole = test::read_file(state.path());
    for (std::size_t n = 0; n < whole.size(); n += 7) {
        test::write_file(state.path(), whole.substr(0, n), 0600);
        const auto cut = state.open()->read();
        CHECK_OK(cut);
        CHECK(!*cut);
        std::string changed = whole;
        changed[n] = static_cast<char>(changed[n] ^ 0x40);
        test::write_file(state.path(), changed, 0600);
        const auto damaged = state.open()->read();
        CHECK_OK(damaged);
        CHECK(!*damaged);
    }
    test::write_file(state.path(), whole, 0600);
    CHECK(state.open()->read()->has_value());
}

void one_sweep_at_a_time_has_it() {
    const State state;
    auto journal = state.open();
    CHECK_OK(journal);
    CHECK_ERR(state.open(), Errc::closed);
    CHECK_ERR(state.open(50), Errc::closed);
    CHECK_OK(Journal::open(state.fd.get(), "sweep-b", ::geteuid(), 0, true)); // another sender's
    const Journal moved = std::move(*journal);
    CHECK_ERR(state.open(), Errc::closed);
}

void a_journal_of_somebody_else_is_not_believed() {
    const State state;
    CHECK_ERR(Journal::open(state.fd.get(), "sweep-a", ::geteuid() + 1, 0, true), Errc::wrong_owner);
    std::filesystem::remove(state.path());
    CHECK_EQ(::symlink((state.dir / "target").c_str(), state.path().c_str()), 0);
    CHECK(!state.open());
    CHECK(!std::filesystem::exists(state.dir / "target"));
}

// --- the checker
// --------------------------------------------------------------------------------------------

Result<spool::Verdict> look(Checker& checker, std::string_view text) {
    std::ranges::copy(bytes_of(text), checker.buffer().begin());
    return checker.check(text.size());
}

void the_checker_says_what_the_front_would_say() {
    auto checker = Checker::start();
    CHECK_OK(checker);
    using enum spool::Content;
    const std::pair<std::string, spool::Content> table[] = {
        {"<agent_data agent_name='web01'></agent_data>", well_formed},
        {"<agent_data agent_name='web01'><a></agent_data>", malformed},
        {"<!DOCTYPE a><agent_data agent_name='web01'></agent_data>", doctype},
        {"<other agent_name='web01'></other>", wrong_root},
        {"", malformed},
    };
    for (const auto& [text, content] : table) {
        spool::ContentChecker here;
        const auto verdict = look(*checker, text);
        CHECK_OK(verdict);
        if (!text.empty())
            CHECK_EQ(verdict->content, content);
        const auto expected = here.check(bytes_of(text));
        CHECK_EQ(verdict->content, expected.content);
        CHECK(verdict->agent_name == expected.agent_name);
    }
    // A name of any length does not run over.
    const auto verdict =
        look(*checker, "<agent_data agent_name='" + std::string(5000, 'n') + "'></agent_data>");
    CHECK_OK(verdict);
    CHECK_EQ(*verdict->agent_name, std::string(256, 'n'));
}

void a_checker_that_is_killed_is_told() {
    std::signal(SIGPIPE, SIG_IGN); // as harden() does
    auto checker = Checker::start();
    CHECK_OK(checker);
    CHECK_OK(look(*checker, "<agent_data></agent_data>"));
    CHECK_EQ(::kill(checker->pid(), SIGKILL), 0);
    siginfo_t info{};
    CHECK_EQ(::waitid(P_PID, static_cast<id_t>(checker->pid()), &info, WEXITED | WNOWAIT), 0);
    CHECK(!look(*checker, "<agent_data></agent_data>"));
    CHECK(!look(*checker, "<agent_data></agent_data>"));
}

void a_checker_ends_with_its_object() {
    pid_t pid = -1;
    {
        auto checker = Checker::start();
        CHECK_OK(checker);
        const Checker moved = std::move(*checker);
        pid = moved.pid();
        CHECK_EQ(::kill(pid, 0), 0);
    }
    CHECK(::kill(pid, 0) != 0 && errno == ESRCH);
}

// --- a pass
// -------------------------------------------------------------------------------------------------

constexpr std::string_view k_good = "<agent_data agent_name='web01'></agent_data>";
constexpr std::string_view k_bad = "<!DOCTYPE a><agent_data agent_name='web01'></agent_data>";

class World {
  public:
    World() {
        policy.spool_directory = dir / "data_in";
        policy.spool_staging = dir / "staging";
        policy.spool_quarantine = dir / "quarantine";
        policy.spool_min_free = 0;
        policy.spool_min_free_percent = 0;
        policy.spool_resend_window = 0; // nobody remembers: the journal has to know
        policy.spool_staging_method = keyring::StagingMethod::named;
        for (const std::string& path : {policy.spool_directory, policy.spool_staging, policy.spool_quarantine,
                                        dir / "state", dir / "in", dir / "in/.held"})
            std::filesystem::create_directory(path);
        state_paths.directory = dir / "state";
        state_paths.pause = dir / "pause";
        key = keyring::ftp_sender("alice");
    }
    void put(std::string_view name, std::string_view content) const {
        test::write_file(dir / "in/" + std::string(name), content);
    }
    // Throws what `fs` lets a call throw. False: the pass had to be ended.
    [[nodiscard]] bool pass(Checker& checker) {
        const Fd state{::open(state_paths.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        auto journal = Journal::open(state.get(), "sweep-alice", ::geteuid(), 0, false);
        CHECK_OK(journal);
        auto spool = spool::Spool::open(policy, fs, spool::Naming::moved);
        if (!spool)
            return false;
        auto inbox = open_inbox(dir / "in", 1000);
        CHECK_OK(inbox);
        Member member(std::move(*inbox), ::geteuid(), policy, key, *spool, state_paths);
        Sweeper sweeper(*spool, *journal, checker);
        const bool done = sweeper.sweep(member).has_value();
        left = sweeper.left();
        return done;
    }
    [[nodiscard]] static std::multiset<std::string> contents_of(const std::string& directory,
                                                                std::string_view suffix = ".data") {
        std::multiset<std::string> out;
        for (const auto& entry : std::filesystem::directory_iterator(directory)) {
            if (entry.is_regular_file() && entry.path().string().ends_with(suffix)) {
                std::filesystem::permissions(entry.path(), std::filesystem::perms(0600));
                out.insert(test::read_file(entry.path()));
            }
        }
        return out;
    }
    [[nodiscard]] std::size_t taken() const {
        return contents_of(policy.spool_directory).size() +
               contents_of(policy.spool_quarantine, ".packet").size();
    }
    [[nodiscard]] bool is_staged(const std::string& name) const {
        return std::filesystem::exists(dir / "staging/" + name);
    }
    [[nodiscard]] std::optional<Taking> in_journal() const {
        const Fd state{::open(state_paths.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        return *Journal::open(state.get(), "sweep-alice", ::geteuid(), 0, false)->read();
    }

    test::TempDir dir;
    keyring::Policy policy;
    keyring::KeyRecord key;
    spool::StatePaths state_paths;
    FakeFs fs;
    Left left;
};

void each_upload_is_moved_into_its_place() {
    World world;
    auto checker = Checker::start();
    CHECK_OK(checker);
    world.put("web01.1.data", k_good);
    world.put("web01.2.data", k_bad);
    CHECK(world.pass(*checker));
    CHECK(World::contents_of(world.policy.spool_directory) ==
          std::multiset<std::string>{std::string(k_good)});
    CHECK(World::contents_of(world.policy.spool_quarantine, ".packet") ==
          std::multiset<std::string>{std::string(k_bad)});
    CHECK(World::contents_of(world.dir / "in").empty());
    CHECK(std::ranges::count(world.fs.calls, Op::link_name) == 0);
    CHECK(!world.left.waiting && !world.left.more);
    CHECK(!world.in_journal());
}

// What the journal says after a fault: nothing; or the upload was taken exactly if the staged name is gone.
void check_after_fault(const World& world, const std::string& where) {
    const bool uploaded = std::filesystem::exists(world.dir / "in/web01.1.data");
    const auto entry = world.in_journal();
    const bool gone = entry && !world.is_staged(entry->staged);
    CHECK_MSG(world.taken() <= 1, where);
    if (entry)
        CHECK_MSG(gone == (world.taken() == 1), where + ": the journal lies");
    else
        CHECK_MSG(uploaded == (world.taken() == 0), where + ": lost or doubled");
    CHECK_MSG(uploaded || world.taken() == 1, where + ": lost");
}

void a_fault_of_any_call_loses_and_doubles_nothing() {
    unsigned faults = 0;
    unsigned ended = 0;
    for (const std::string_view content : {k_good, k_bad}) {
        for (const auto& [error, after] : {std::pair{EIO, false}, {ENOSPC, false}, {EIO, true}}) {
            for (unsigned n = 1;; ++n) {
                World world;
                auto checker = Checker::start();
                CHECK_OK(checker);
                world.put("web01.1.data", content);
                world.fs.fail_at = n;
                world.fs.error = error;
                world.fs.after = after;
                const bool done = world.pass(*checker);
                if (!world.fs.injected)
                    break;
                // A rename that was made and failed all the same: only NFS does that.
                if (after && world.fs.injected_op == Op::rename_new)
                    continue;
                ++faults;
                ended += done ? 0U : 1U;
                check_after_fault(world, "call " + std::to_string(n));
            }
        }
    }
    CHECK_MSG(faults > 30, std::to_string(faults));
    CHECK(ended > 0 && ended < faults);
}

// No memory: what was being done is in the journal, and so is its staged name.
void an_exception_is_like_a_crash() {
    unsigned thrown = 0;
    for (const std::string_view content : {k_good, k_bad}) {
        for (unsigned n = 1;; ++n) {
            World world;
            auto checker = Checker::start();
            CHECK_OK(checker);
            world.put("web01.1.data", content);
            bool threw = false;
            world.fs.before = [&](Op) {
                if (world.fs.calls.size() == n)
                    throw std::bad_alloc();
            };
            try {
                CHECK(world.pass(*checker));
            } catch (const std::bad_alloc&) {
                threw = true;
            }
            if (!threw)
                break;
            ++thrown;
            world.fs.before = nullptr;
            check_after_fault(world, "call " + std::to_string(n));
        }
    }
    CHECK(thrown > 10);
}

// A file system without renameat2(2).
void without_a_rename_it_is_linked() {
    World world;
    auto checker = Checker::start();
    CHECK_OK(checker);
    for (const int error : {EINVAL, ENOSYS}) {
        const std::string name = "web01." + std::to_string(error) + ".data";
        world.put(name, k_good);
        world.fs.calls.clear();
        world.fs.fail_at = 0;
        world.fs.error = error;
        world.fs.before = [&](Op op) {
            if (op == Op::rename_new)
                world.fs.fail_at = static_cast<unsigned>(world.fs.calls.size());
        };
        CHECK(world.pass(*checker));
        CHECK(std::ranges::count(world.fs.calls, Op::link_name) == 1);
        CHECK(std::filesystem::exists(world.policy.spool_directory + '/' + name));
        CHECK(World::contents_of(world.dir / "in").empty());
        CHECK(std::filesystem::is_empty(world.policy.spool_staging));
        struct stat st {};
        CHECK_EQ(::stat((world.policy.spool_directory + '/' + name).c_str(), &st), 0);
        CHECK_EQ(st.st_nlink, 1U);
    }
    // Any other error is none of that.
    world.put("web01.9.data", k_good);
    world.fs.calls.clear();
    world.fs.error = EIO;
    CHECK(world.pass(*checker));
    CHECK(std::ranges::count(world.fs.calls, Op::link_name) == 0);
    CHECK(std::filesystem::exists(world.dir / "in/web01.9.data"));
}

// The staged name is on the disk before the journal is, and the file before it is moved.
void the_order_is_name_content_move_sync() {
    for (const auto durability :
         {keyring::Durability::full, keyring::Durability::file, keyring::Durability::none}) {
        World world;
        world.policy.spool_durability = durability;
        auto checker = Checker::start();
        CHECK_OK(checker);
        world.put("web01.1.data", k_good);
        CHECK(world.pass(*checker));
        std::vector<Op> order;
        for (const Op op : world.fs.calls) {
            if (op == Op::create || op == Op::write || op == Op::sync_data || op == Op::sync_directory ||
                op == Op::rename_new)
                order.push_back(op);
        }
        std::vector<Op> expected = {Op::create,    Op::sync_directory, Op::write,
                                    Op::sync_data, Op::rename_new,     Op::sync_directory};
        if (durability == keyring::Durability::file) // names that are lost are lost in this order
            expected.pop_back();
        if (durability == keyring::Durability::none)
            expected = {Op::create, Op::write, Op::rename_new};
        CHECK(order == expected);
    }
}

// Another one of the name, or more of it, after it was copied: that one has not been taken.
void what_came_meanwhile_stays() {
    for (const bool replaced : {true, false}) {
        World world;
        auto checker = Checker::start();
        CHECK_OK(checker);
        world.put("web01.1.data", k_good);
        const std::string later = std::string(k_good) + "<!-- another -->";
        world.fs.before = [&](Op op) {
            if (op != Op::rename_new)
                return;
            if (replaced)
                std::filesystem::remove(world.dir / "in/web01.1.data");
            world.put("web01.1.data", later);
        };
        CHECK(world.pass(*checker));
        CHECK_EQ(test::read_file(world.dir / "in/web01.1.data"), later);
        CHECK(World::contents_of(world.policy.spool_directory) ==
              std::multiset<std::string>{std::string(k_good)});
        CHECK(world.left.waiting && world.left.soon);
        CHECK(!world.in_journal());
    }
}

void a_pass_takes_its_turn_and_no_more() {
    World world;
    world.policy.spool_durability = keyring::Durability::none;
    auto checker = Checker::start();
    CHECK_OK(checker);
    for (int n = 0; n < 510; ++n)
        world.put("web01." + std::to_string(n) + ".data", k_good);
    CHECK(world.pass(*checker));
    CHECK(world.left.more);
    CHECK_EQ(world.taken(), 500U);
    CHECK(world.pass(*checker));
    CHECK(!world.left.more);
    CHECK_EQ(world.taken(), 510U);
    // Where nothing can be taken there is no more.
    world.key.state = keyring::KeyState::disabled;
    for (int n = 0; n < 510; ++n)
        world.put("web01." + std::to_string(n) + ".data", k_good);
    CHECK(world.pass(*checker));
    CHECK(world.left.waiting && !world.left.more);
}

// A file on its way into quarantine has no mode: what a crash left of it goes all the same.
void leftovers_that_cannot_be_read_are_removed() {
    World world;
    const std::string left = world.dir / "staging/drop-1-1";
    test::write_file(left, "x", 0);
    const std::string busy = world.dir / "staging/drop-1-2";
    test::write_file(busy, "x", 0600);
    const Fd owner{::open(busy.c_str(), O_WRONLY | O_CLOEXEC)};
    CHECK_EQ(::flock(owner.get(), LOCK_EX), 0);
    CHECK_EQ(::fchmod(owner.get(), 0), 0);
    CHECK_EQ(::symlink("/etc/passwd", (world.dir / "staging/drop-1-3").c_str()), 0);
    const auto spool = spool::Spool::open(world.policy, world.fs, spool::Naming::moved);
    CHECK_OK(spool);
    CHECK(!std::filesystem::exists(left));
    struct stat st {};
    CHECK_EQ(::stat(busy.c_str(), &st), 0); // somebody is behind it
    CHECK_EQ(st.st_mode & 07777, mode_t{0});
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(a_journal_tells_what_was_begun),
        GATE_TEST(what_cannot_be_told_is_not_begun),
        GATE_TEST(a_torn_or_damaged_entry_is_none),
        GATE_TEST(one_sweep_at_a_time_has_it),
        GATE_TEST(a_journal_of_somebody_else_is_not_believed),
        GATE_TEST(the_checker_says_what_the_front_would_say),
        GATE_TEST(a_checker_that_is_killed_is_told),
        GATE_TEST(a_checker_ends_with_its_object),
        GATE_TEST(each_upload_is_moved_into_its_place),
        GATE_TEST(a_fault_of_any_call_loses_and_doubles_nothing),
        GATE_TEST(an_exception_is_like_a_crash),
        GATE_TEST(without_a_rename_it_is_linked),
        GATE_TEST(the_order_is_name_content_move_sync),
        GATE_TEST(what_came_meanwhile_stays),
        GATE_TEST(a_pass_takes_its_turn_and_no_more),
        GATE_TEST(leftovers_that_cannot_be_read_are_removed),
    };
    return cmocka_run_group_tests_name("sweep taking", tests, nullptr, nullptr);
}
