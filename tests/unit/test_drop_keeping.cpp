// What becomes of a file that has arrived whole: delivered once, put away, or kept by its sender; and what
// the audit hears of it.
#include "tests/unit/intake_world.h"

#include "lib/base/clock.h"
#include "lib/spool/record_file.h"

#include <sys/file.h>

using namespace gate;
using drop::Op;
using spool::Content;
using spool::Reason;
using spool::Verdict;
using test::g_events;
using test::IntakeWorld;

namespace {

[[nodiscard]] bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

Reason begin(IntakeWorld& world, std::string_view name, std::uint64_t declared = drop::k_unknown_size) {
    const Reason reason = world.same().begin(IntakeWorld::request(Op::begin, name, 0, declared));
    if (reason == Reason::none) { // it was only asked for
        drop::Request abort = IntakeWorld::request(Op::abort, name, 0);
        abort.reason = Reason::aborted;
        world.same().abort(abort);
    }
    return reason;
}

// --- once
// ------------------------------------------------------------------------------------------------------

void the_same_again_is_success_and_no_second_file() {
    IntakeWorld world;
    static_cast<void>(world.session());
    CHECK_EQ(world.deliver("a.1.data", "same"), Reason::none);
    CHECK_EQ(world.deliver("a.1.data", "same"), Reason::none);
    CHECK_EQ(world.published(), "a.1.data ");
    // In another session, and when the server has taken the first away by then.
    std::filesystem::remove(world.policy.spool_directory + "/a.1.data");
    static_cast<void>(world.session());
    CHECK_EQ(world.deliver("a.1.data", "same"), Reason::none);
    CHECK_EQ(world.published(), "");
    CHECK(world.is_staging_empty());
    CHECK_EQ(IntakeWorld::told("drop.accepted"), 1U);
    CHECK_EQ(IntakeWorld::told("drop.resent"), 2U);
}

void other_content_or_another_name_is_another_file() {
    IntakeWorld world;
    static_cast<void>(world.session());
    CHECK_EQ(world.deliver("a.1.data", "one"), Reason::none);
    CHECK_EQ(world.deliver("a.1.data", "two"), Reason::none);
    CHECK_EQ(world.deliver("a.2.data", "one"), Reason::none);
    const std::string names = world.published();
    CHECK_EQ(std::ranges::count(names, ' '), 3);
    CHECK(contains(names, "a.1.data ") && contains(names, "a.2.data "));
    CHECK_EQ(test::read_file(world.policy.spool_directory + "/a.1.data"), "one");
    CHECK_EQ(IntakeWorld::told("drop.resent"), 0U);
}

void the_same_is_delivered_again_after_the_window() {
    for (const std::uint32_t window : {0U, 1U}) {
        IntakeWorld world;
        world.policy.spool_resend_window = window;
        static_cast<void>(world.session());
        CHECK_EQ(world.deliver("a.1.data", "same"), Reason::none);
        ::usleep(1'100'000 * window);
        CHECK_EQ(world.deliver("a.1.data", "same"), Reason::none);
        CHECK_EQ(std::ranges::count(world.published(), ' '), 2);
    }
}

// Another session may have linked it and not synced it yet, or fail to: success is said of what is durable.
void what_came_before_is_durable_before_it_is_acknowledged_again() {
    IntakeWorld world;
    static_cast<void>(world.session());
    CHECK_EQ(world.deliver("a.1.data", "same"), Reason::none);
    const auto syncs = [&] { return std::ranges::count(world.fs.calls, test::FakeFs::Op::sync_directory); };
    const auto before = syncs();
    const auto calls = world.fs.calls.size();
    CHECK_EQ(world.deliver("a.1.data", "same"), Reason::none);
    CHECK_EQ(IntakeWorld::told("drop.resent"), 1U);
    CHECK_EQ(syncs(), before + 1);
    world.fs.fail_at = static_cast<unsigned>(2 * world.fs.calls.size() - calls); // the last call of the next
    world.fs.error = EIO;
    CHECK_EQ(world.deliver("a.1.data", "same"), Reason::spool_unavailable);
    CHECK(world.fs.injected && world.fs.injected_op == test::FakeFs::Op::sync_directory);
    CHECK_EQ(IntakeWorld::told("drop.resent"), 1U);
}

// The file got no name, or the directory was not synced: the client is told so, keeps its file, and must be
// able to send it again.
void what_was_refused_is_not_remembered() {
    using Op = test::FakeFs::Op;
    for (const auto& [last_but, op] : {std::pair{0U, Op::sync_directory}, {1U, Op::link_fd}}) {
        IntakeWorld world;
        static_cast<void>(world.session());
        CHECK_EQ(world.deliver("a.1.data", "kept"), Reason::none);
        const auto calls = world.fs.calls.size();
        CHECK_EQ(world.deliver("a.2.data", "lost"), Reason::none);
        const auto of_a_drop = world.fs.calls.size() - calls;
        world.fs.fail_at = static_cast<unsigned>(world.fs.calls.size() + of_a_drop - last_but);
        world.fs.error = EIO;
        CHECK_EQ(world.deliver("a.3.data", "lost"), Reason::spool_unavailable);
        CHECK(world.fs.injected && world.fs.injected_op == op);
        CHECK_EQ(world.deliver("a.3.data", "lost"), Reason::none);
        CHECK_EQ(IntakeWorld::told("drop.resent"), 0U);
        CHECK_EQ(IntakeWorld::told("drop.accepted"), 3U);
    }
}

// --- the memory cannot be used
// -----------------------------------------------------------------------------------

void deliveries_go_on_without_memory() {
    const struct {
        const char* what;
        void (*spoil)(IntakeWorld& world);
        std::string_view cause;
    } table[] = {
        {"missing", [](IntakeWorld& w) { std::filesystem::remove_all(w.state.directory); }, "missing"},
        {"a link", [](IntakeWorld& w) { std::filesystem::create_symlink("/etc/passwd", w.memory_file()); },
         "link"},
        {"a directory", [](IntakeWorld& w) { std::filesystem::create_directory(w.memory_file()); }, "open"},
        {"two names",
         [](IntakeWorld& w) {
             test::write_file(w.memory_file(), "");
             std::filesystem::create_hard_link(w.memory_file(), w.memory_file() + "-2");
         },
         "several names"},
        {"garbage", [](IntakeWorld& w) { test::write_file(w.memory_file(), std::string(9000, 'x')); },
         "damaged"},
        {"short", [](IntakeWorld& w) { test::write_file(w.memory_file(), "x"); }, "damaged"},
    };
    for (const auto& row : table) {
        IntakeWorld world;
        row.spoil(world);
        static_cast<void>(world.session());
        CHECK_EQ(world.deliver("a.1.data", "x"), Reason::none);
        CHECK_EQ(world.deliver("a.2.data", "y"), Reason::none);
        CHECK_EQ(world.published(), "a.1.data a.2.data ");
        const std::string told = IntakeWorld::last("memory.unusable");
        CHECK_MSG(contains(told, row.cause), std::string(row.what) + ": " + told);
        CHECK_MSG(IntakeWorld::told("memory.unusable") >= 1, row.what);
    }
    CHECK(test::read_file("/etc/passwd").size() > 10);
}

void a_locked_memory_is_waited_for_and_then_done_without() {
    IntakeWorld world;
    test::write_file(world.memory_file(), "", 0600);
    const Fd holder{::open(world.memory_file().c_str(), O_RDWR | O_CLOEXEC)};
    CHECK(::flock(holder.get(), LOCK_EX) == 0);
    static_cast<void>(world.session());
    const std::int64_t start = monotonic_ms();
    CHECK_EQ(world.deliver("a.1.data", "x"), Reason::none);
    const std::int64_t waited = monotonic_ms() - start;
    CHECK(waited >= spool::k_lock_patience_ms);
    CHECK_EQ(world.deliver("a.2.data", "y"), Reason::none);
    CHECK(monotonic_ms() - start - waited < spool::k_lock_patience_ms); // once a session
    CHECK_EQ(world.published(), "a.1.data a.2.data ");
    CHECK_EQ(IntakeWorld::told("memory.unusable"), 1U);
    CHECK(contains(IntakeWorld::last("memory.unusable"), "locked"));
}

// --- quotas, pause, backlog
// -----------------------------------------------------------------------------------------

void a_key_has_its_quota_of_files_in_all_its_sessions() {
    IntakeWorld world;
    world.policy.quota_files = 3;
    static_cast<void>(world.session());
    CHECK_EQ(world.deliver("a.1.data", "1"), Reason::none);
    CHECK_EQ(world.deliver("a.2.data", "2"), Reason::none);
    static_cast<void>(world.session());
    CHECK_EQ(begin(world, "a.3.data"), Reason::none);
    CHECK_EQ(world.deliver("a.3.data", "3"), Reason::none);
    CHECK_EQ(begin(world, "a.4.data"), Reason::quota_files);
    CHECK_EQ(world.deliver("a.4.data", "4"), Reason::quota_files);
    static_cast<void>(world.session());
    CHECK_EQ(begin(world, "a.4.data"), Reason::quota_files);
    // Another key has its own.
    world.key.fingerprint.fill(8);
    static_cast<void>(world.session());
    CHECK_EQ(world.deliver("a.4.data", "4"), Reason::none);
}

void files_that_are_open_count_for_the_quota() {
    IntakeWorld world;
    world.policy.quota_files = 2;
    static_cast<void>(world.session());
    for (std::uint32_t n = 0; n < 3; ++n) {
        drop::Request request = IntakeWorld::request(Op::begin, "a." + std::to_string(n) + ".data", 0);
        request.file = n;
        CHECK_EQ(world.same().begin(request), n < 2 ? Reason::none : Reason::quota_files);
    }
}

void a_key_has_its_quota_of_bytes() {
    IntakeWorld world;
    world.policy.quota_bytes = 10;
    static_cast<void>(world.session());
    CHECK_EQ(begin(world, "a.1.data", 11), Reason::quota_bytes);
    CHECK_EQ(begin(world, "a.1.data", 10), Reason::none);
    CHECK_EQ(world.deliver("a.1.data", "12345678"), Reason::none);
    CHECK_EQ(begin(world, "a.2.data", 3), Reason::quota_bytes);
    CHECK_EQ(begin(world, "a.2.data", 2), Reason::none);
}

void the_window_of_a_quota_slides() {
    IntakeWorld world;
    world.policy.quota_files = 2;
    world.policy.quota_window = 1;
    static_cast<void>(world.session());
    CHECK_EQ(world.deliver("a.1.data", "1"), Reason::none);
    ::usleep(600'000);
    CHECK_EQ(world.deliver("a.2.data", "2"), Reason::none);
    CHECK_EQ(begin(world, "a.3.data"), Reason::quota_files);
    ::usleep(500'000); // the first is out, the second is not
    CHECK_EQ(world.deliver("a.3.data", "3"), Reason::none);
    CHECK_EQ(begin(world, "a.4.data"), Reason::quota_files);
}

void a_pause_is_seen_by_the_sessions_that_run() {
    IntakeWorld world;
    test::write_file(world.state.pause, "", 0644);
    const Fd file{::open(world.state.pause.c_str(), O_RDWR | O_CLOEXEC)};
    static_cast<void>(world.session());
    CHECK_EQ(world.deliver("a.1.data", "1"), Reason::none);
    const std::int64_t now = wall_clock_us() / 1'000'000;
    spool::Pause pause;
    pause.since = now;
    CHECK_OK(spool::write_pause(file.get(), pause));
    CHECK_EQ(begin(world, "a.2.data"), Reason::paused);
    CHECK_EQ(begin(world, "a.2.checksum"), Reason::paused);
    pause.until = now; // over
    CHECK_OK(spool::write_pause(file.get(), pause));
    CHECK_EQ(world.deliver("a.2.data", "2"), Reason::none);
    // What cannot be read is not taken for "go on".
    CHECK(::pwrite(file.get(), "x", 1, 3) == 1);
    CHECK_EQ(begin(world, "a.3.data"), Reason::paused);
}

void a_full_backlog_refuses() {
    IntakeWorld world;
    world.policy.spool_max_backlog = 3;
    for (const char* name : {"old.1.data", "old.2.data"})
        test::write_file(world.policy.spool_directory + '/' + name, "x");
    std::filesystem::create_directory(world.policy.spool_directory + "/conf"); // no file
    static_cast<void>(world.session());
    CHECK_EQ(world.deliver("a.1.data", "1"), Reason::none);
    CHECK_EQ(begin(world, "a.2.data"), Reason::backlog);
    // Another session believes what was counted, and counts again when that is old.
    for (const char* name : {"old.1.data", "old.2.data", "a.1.data"})
        std::filesystem::remove(world.policy.spool_directory + '/' + name);
    world.policy.spool_max_backlog = 2;
    static_cast<void>(world.session());
    CHECK_EQ(begin(world, "a.2.data"), Reason::backlog);
    std::filesystem::remove(world.state.directory + "/backlog");
    static_cast<void>(world.session());
    CHECK_EQ(begin(world, "a.2.data"), Reason::none);
}

// --- content and binding
// ----------------------------------------------------------------------------------------------

void content_decides_between_data_in_and_quarantine() {
    const struct {
        Verdict verdict;
        std::string_view reason; // empty: delivered
    } table[] = {
        {{Content::well_formed, "a"}, ""},
        {{Content::malformed, "a"}, ""},
        {{Content::malformed, std::nullopt}, ""},
        {{Content::doctype, std::nullopt}, "content.doctype"},
        {{Content::doctype, "a"}, "content.doctype"},
        {{Content::wrong_root, std::nullopt}, "content.root"},
        {{Content::too_complex, "a"}, "content.complex"},
        {{Content::well_formed, std::nullopt}, "content.agent"},
        {{Content::well_formed, "b"}, "agent.mismatch"},
        {{Content::malformed, "b"}, "agent.mismatch"},
    };
    for (const auto& row : table) {
        IntakeWorld world;
        static_cast<void>(world.session());
        CHECK_EQ(world.deliver("a.1.data", "x", row.verdict), Reason::none); // the client hears success
        CHECK_EQ(world.published(), row.reason.empty() ? "a.1.data " : "");
        const std::string kept = IntakeWorld::names_in(world.policy.spool_quarantine);
        CHECK_EQ(std::ranges::count(kept, ' '), row.reason.empty() ? 0 : 2);
        CHECK_EQ(IntakeWorld::told("drop.quarantined"), row.reason.empty() ? 0U : 1U);
        if (row.reason.empty())
            continue;
        const std::string id = kept.substr(0, kept.find('.'));
        CHECK(spool::is_quarantine_id(id));
        CHECK(contains(kept, id + ".json ") && contains(kept, id + ".packet "));
        const std::string path = world.policy.spool_quarantine + '/' + id;
        const std::string sidecar = test::read_file(path + ".json");
        CHECK(contains(sidecar, "\"reason\":\"" + std::string(row.reason) + '"'));
        CHECK(contains(sidecar, "\"quarantine\":\"" + id + '"') &&
              contains(sidecar, "\"file\":\"a.1.data\""));
        CHECK(sidecar.ends_with("}\n"));
        CHECK_EQ(test::read_file(path + ".packet"), "x");
        for (const char* suffix : {".json", ".packet"}) {
            struct stat st {};
            CHECK(::stat((path + suffix).c_str(), &st) == 0 && (st.st_mode & 07777) == 0);
        }
    }
}

// A front that was taken over may claim anything but not say nothing.
void a_front_that_has_not_looked_delivers_nothing() {
    IntakeWorld world;
    static_cast<void>(world.session());
    for (const Content lie : {Content::unchecked, Content::last_, static_cast<Content>(999)})
        CHECK_EQ(world.deliver("a.1.data", "x", Verdict{lie, "a"}), Reason::protocol);
    CHECK_EQ(world.published(), "");
    world.policy.content_check = false;
    static_cast<void>(world.session());
    CHECK_EQ(world.deliver("a.1.data", "x", Verdict{}), Reason::none);
    CHECK_EQ(world.published(), "a.1.data ");
}

void observe_delivers_and_tells_once() {
    IntakeWorld world;
    world.key.binding = keyring::Binding::observe;
    static_cast<void>(world.session());
    CHECK_EQ(world.deliver("a.1.data", "1", "b"), Reason::none);
    CHECK_EQ(world.deliver("stranger.1.data", "2", "stranger"), Reason::none);
    CHECK_EQ(world.deliver("a.3.data", "3"), Reason::none);
    CHECK_EQ(world.published(), "a.1.data a.3.data stranger.1.data ");
    CHECK_EQ(IntakeWorld::told("agent.mismatch"), 1U);
    CHECK(contains(IntakeWorld::last("agent.mismatch"), "\"outcome\":\"delivered\""));
    CHECK(contains(IntakeWorld::last("agent.mismatch"), "\"packet_agent\":\"b\""));
    // After the hour: how many there were.
    world.policy.audit_repeat_window = 1;
    ::usleep(1'100'000);
    static_cast<void>(world.session());
    CHECK_EQ(world.deliver("a.4.data", "4", "b"), Reason::none);
    CHECK_EQ(IntakeWorld::told("agent.mismatch"), 2U);
    CHECK(contains(IntakeWorld::last("agent.mismatch"), "\"repeated\":1"));
}

void off_tells_nothing() {
    IntakeWorld world;
    world.key.binding = keyring::Binding::off;
    static_cast<void>(world.session());
    CHECK_EQ(world.deliver("stranger.1.data", "1", "b"), Reason::none);
    CHECK_EQ(world.published(), "stranger.1.data ");
    CHECK_EQ(IntakeWorld::told("agent.mismatch"), 0U);
}

void an_unbound_key_proposes_what_its_first_packets_agree_on() {
    IntakeWorld world;
    world.key.agents.clear();
    static_cast<void>(world.session());
    CHECK_EQ(world.deliver("web1.1.data", "1", "web1"), Reason::none);
    CHECK_EQ(world.deliver("web1.2.data", "2", "web1"), Reason::none);
    CHECK_EQ(IntakeWorld::told("agent.proposed"), 0U);
    CHECK(!spool::read_learned(world.memory_file(), ::geteuid())->proposes());
    static_cast<void>(world.session());
    CHECK_EQ(world.deliver("web1.3.data", "3", "web1"), Reason::none);
    CHECK_EQ(IntakeWorld::told("agent.proposed"), 1U);
    CHECK(contains(IntakeWorld::last("agent.proposed"), "\"agent\":\"web1\""));
    const auto learned = spool::read_learned(world.memory_file(), ::geteuid());
    CHECK_OK(learned);
    CHECK(learned->proposes() && learned->names[0] == "web1");
    // Another name is delivered too, and told.
    CHECK_EQ(world.deliver("web2.4.data", "4", "web2"), Reason::none);
    CHECK_EQ(IntakeWorld::told("agent.mismatch"), 1U);
    CHECK_EQ(world.published(), "web1.1.data web1.2.data web1.3.data web2.4.data ");
}

void packets_that_disagree_propose_nothing() {
    IntakeWorld world;
    world.key.agents.clear();
    static_cast<void>(world.session());
    unsigned n = 0;
    for (const std::string name : {"x", "y", "x", "x"}) // each another packet: a resent one teaches nothing
        CHECK_EQ(world.deliver(name + '.' + std::to_string(n++) + ".data", name, name), Reason::none);
    CHECK_EQ(IntakeWorld::told("drop.accepted"), 4U);
    CHECK_EQ(IntakeWorld::told("agent.proposed"), 0U);
    CHECK(!spool::read_learned(world.memory_file(), ::geteuid())->proposes());
}

void an_unbound_key_may_be_refused() {
    IntakeWorld world;
    world.key.agents.clear();
    world.policy.binding_unbound_keys = keyring::Unbound::refuse;
    static_cast<void>(world.session());
    CHECK_EQ(begin(world, "web1.1.data"), Reason::agent_unbound);
    CHECK_EQ(world.deliver("web1.1.data", "1", "web1"), Reason::agent_unbound);
    CHECK_EQ(world.published(), "");
}

// --- quarantine
// ----------------------------------------------------------------------------------------------------------

void a_full_quarantine_refuses() {
    IntakeWorld world;
    const std::uint64_t of_one = 2 * spool::charged(1);
    world.policy.quarantine_max_size = 2 * of_one;
    static_cast<void>(world.session());
    CHECK_EQ(world.deliver("a.1.data", "1", "b"), Reason::none);
    CHECK_EQ(world.deliver("a.2.data", "2", "b"), Reason::none);
    CHECK_EQ(world.deliver("a.3.data", "3", "b"), Reason::quarantine_full);
    static_cast<void>(world.session());
    CHECK_EQ(world.deliver("a.3.data", "3", "b"), Reason::quarantine_full);
    CHECK_EQ(std::ranges::count(IntakeWorld::names_in(world.policy.spool_quarantine), ' '), 4);
    // What is good goes on.
    CHECK_EQ(world.deliver("a.3.data", "3"), Reason::none);
    CHECK_EQ(world.published(), "a.3.data ");
}

void without_a_quarantine_bad_packets_are_refused() {
    const struct {
        void (*spoil)(IntakeWorld& world);
        std::string_view cause;
    } table[] = {
        {[](IntakeWorld& w) { std::filesystem::remove(w.policy.spool_quarantine); }, "is missing"},
        {[](IntakeWorld& w) {
             std::filesystem::rename(w.policy.spool_quarantine, w.policy.spool_quarantine + "-2");
             std::filesystem::create_directory_symlink(w.policy.spool_quarantine + "-2",
                                                       w.policy.spool_quarantine);
         },
         "is a link"},
        {[](IntakeWorld& w) { w.policy.spool_quarantine = "/proc"; }, "different file systems"},
    };
    for (const auto& row : table) {
        IntakeWorld world;
        row.spoil(world);
        static_cast<void>(world.session());
        const std::string told = IntakeWorld::last("memory.unusable");
        CHECK_MSG(contains(told, "\"part\":\"quarantine\"") && contains(told, row.cause), told);
        CHECK_EQ(world.deliver("a.1.data", "1", "b"), Reason::quarantine_full);
        CHECK_EQ(world.deliver("a.1.data", "1"), Reason::none);
    }
}

void the_same_bad_packet_is_kept_once() {
    IntakeWorld world;
    world.policy.audit_repeat_window = 0; // each is told
    static_cast<void>(world.session());
    CHECK_EQ(world.deliver("a.1.data", "1", "b"), Reason::none);
    CHECK_EQ(world.deliver("a.1.data", "1", "b"), Reason::none);
    CHECK_EQ(std::ranges::count(IntakeWorld::names_in(world.policy.spool_quarantine), ' '), 2);
    CHECK_EQ(IntakeWorld::told("drop.resent"), 1U);
    CHECK_EQ(IntakeWorld::told("agent.mismatch"), 1U);
}

// Each of the two files: its content before its name, and both for good.
void what_is_put_away_is_as_durable_as_what_is_delivered() {
    using Op = test::FakeFs::Op;
    IntakeWorld world;
    static_cast<void>(world.session());
    world.fs.calls.clear();
    CHECK_EQ(world.deliver("a.1.data", "1", "b"), Reason::none);
    auto steps = world.fs.calls;
    std::erase_if(steps, [](Op op) {
        return op != Op::write && op != Op::sync_data && op != Op::link_fd && op != Op::sync_directory;
    });
    const std::vector<Op> each{Op::write, Op::sync_data, Op::link_fd, Op::sync_directory};
    std::vector<Op> both = each;
    both.insert(both.end(), each.begin(), each.end());
    CHECK(steps == both);
}

// Whatever fails on the way into the quarantine: the client keeps its packet, and no room stays charged for
// it.
void a_fault_on_the_way_into_quarantine_refuses() {
    unsigned injected = 0;
    unsigned refused = 0;
    for (unsigned n = 1;; ++n) {
        IntakeWorld world;
        static_cast<void>(world.session());
        world.fs.fail_at = static_cast<unsigned>(world.fs.calls.size()) + n;
        world.fs.error = EIO;
        const Reason reason = world.deliver("a.1.data", "1", "b");
        const std::string kept = IntakeWorld::names_in(world.policy.spool_quarantine);
        if (!world.fs.injected) {
            CHECK_EQ(reason, Reason::none);
            break;
        }
        ++injected;
        refused += reason != Reason::none ? 1U : 0U;
        CHECK_EQ(world.published(), "");
        CHECK(world.is_staging_empty());
        CHECK_MSG(reason != Reason::none || contains(kept, ".packet"), test::show(n));
        CHECK_MSG(!contains(kept, ".packet") || contains(kept, ".json"), test::show(n)); // it comes first
        if (reason != Reason::none) {
            world.fs.fail_at = 0;
            const Fd usage{::open((world.state.directory + "/quarantine").c_str(), O_RDONLY | O_CLOEXEC)};
            const auto left = spool::read_usage(usage.get());
            CHECK_OK(left);
            CHECK_EQ(left->bytes, 0U);
            CHECK_EQ(world.deliver("a.1.data", "1", "b"), Reason::none);
        }
    }
    print_message("faults injected %u, ended refused %u, ended kept %u\n", injected, refused,
                  injected - refused);
    CHECK(injected > 10 && refused > 10);
}

// --- the audit
// ------------------------------------------------------------------------------------------------------------

void the_same_refusal_is_told_once_with_a_count() {
    IntakeWorld world;
    world.policy.audit_repeat_window = 1;
    static_cast<void>(world.session());
    for (int n = 1; n <= 5; ++n)
        CHECK_EQ(begin(world, "stranger." + std::to_string(n) + ".data"), Reason::agent_name);
    CHECK_EQ(IntakeWorld::told("drop.refused"), 1U);
    CHECK_EQ(begin(world, "other.1.data"), Reason::agent_name); // another agent: another refusal
    CHECK_EQ(begin(world, "stranger.1.conf"), Reason::name_remote_config);
    CHECK_EQ(IntakeWorld::told("drop.refused"), 3U);
    world.end();
    CHECK(contains(IntakeWorld::last("session.summary"), "\"refused\":7"));
    CHECK(contains(IntakeWorld::last("session.summary"), "\"untold\":4"));
    ::usleep(1'100'000);
    static_cast<void>(world.session());
    CHECK_EQ(begin(world, "stranger.9.data"), Reason::agent_name);
    CHECK_EQ(IntakeWorld::told("drop.refused"), 4U);
    CHECK(contains(IntakeWorld::last("drop.refused"), "\"repeated\":4"));
}

void a_window_of_zero_tells_each() {
    IntakeWorld world;
    world.policy.audit_repeat_window = 0;
    static_cast<void>(world.session());
    for (int n = 0; n < 3; ++n)
        CHECK_EQ(begin(world, "stranger.1.data"), Reason::agent_name);
    CHECK_EQ(IntakeWorld::told("drop.refused"), 3U);
}

void where_the_audit_is_required_it_comes_first() {
    IntakeWorld world;
    world.policy.audit_mode = keyring::AuditMode::required;
    static_cast<void>(world.session());
    for (int n = 1; n <= 3; ++n)
        CHECK_EQ(world.deliver("a." + std::to_string(n) + ".data", std::to_string(n)), Reason::none);
    CHECK_EQ(IntakeWorld::told("drop.begun"), 3U);
    CHECK(!world.same().prepare()); // no file is let in beforehand
    test::g_logger_is_away = true;
    CHECK_EQ(begin(world, "a.4.data"), Reason::audit_away);
    CHECK_EQ(world.deliver("a.4.data", "4"), Reason::audit_away);
    test::g_logger_is_away = false;
    CHECK_EQ(world.deliver("a.4.data", "4"), Reason::none);
    // The control: nobody asks otherwise.
    world.policy.audit_mode = keyring::AuditMode::best_effort;
    static_cast<void>(world.session());
    test::g_logger_is_away = true;
    CHECK_EQ(world.deliver("a.5.data", "5"), Reason::none);
}

void malformed_packets_are_counted() {
    IntakeWorld world;
    static_cast<void>(world.session());
    CHECK_EQ(world.deliver("a.1.data", "1", Verdict{Content::malformed, "a"}), Reason::none);
    CHECK(contains(IntakeWorld::last("drop.accepted"), "\"content\":\"malformed\""));
    world.end();
    CHECK(contains(IntakeWorld::last("session.summary"), "\"malformed\":1"));
}

// Room that was granted is not refused afterwards: some clients would not hear of it.
void what_was_granted_is_taken() {
    IntakeWorld world;
    world.policy.quota_files = 3;
    static_cast<void>(world.session());
    CHECK_EQ(world.deliver("a.1.data", "1"), Reason::none);
    CHECK_EQ(world.deliver("a.2.data", "2"), Reason::none);
    CHECK(world.same().prepare());
    {
        spool::Memory memory(world.policy); // another session of the key uses up the quota
        const Fd state{::open(world.state.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        CHECK_OK(memory.open(state.get(), spool::memory_name(world.key.fingerprint), ::geteuid()));
        spool::Memory::Hold(memory, wall_clock_us()).remember({}, 1);
    }
    CHECK_EQ(world.deliver("a.3.data", "3"), Reason::none);
    CHECK(!world.same().prepare());
    CHECK_EQ(world.deliver("a.4.data", "4"), Reason::quota_files);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(the_same_again_is_success_and_no_second_file),
        GATE_TEST(other_content_or_another_name_is_another_file),
        GATE_TEST(the_same_is_delivered_again_after_the_window),
        GATE_TEST(what_came_before_is_durable_before_it_is_acknowledged_again),
        GATE_TEST(what_was_refused_is_not_remembered),
        GATE_TEST(deliveries_go_on_without_memory),
        GATE_TEST(a_locked_memory_is_waited_for_and_then_done_without),
        GATE_TEST(a_key_has_its_quota_of_files_in_all_its_sessions),
        GATE_TEST(files_that_are_open_count_for_the_quota),
        GATE_TEST(a_key_has_its_quota_of_bytes),
        GATE_TEST(the_window_of_a_quota_slides),
        GATE_TEST(a_pause_is_seen_by_the_sessions_that_run),
        GATE_TEST(a_full_backlog_refuses),
        GATE_TEST(content_decides_between_data_in_and_quarantine),
        GATE_TEST(a_front_that_has_not_looked_delivers_nothing),
        GATE_TEST(observe_delivers_and_tells_once),
        GATE_TEST(off_tells_nothing),
        GATE_TEST(an_unbound_key_proposes_what_its_first_packets_agree_on),
        GATE_TEST(packets_that_disagree_propose_nothing),
        GATE_TEST(an_unbound_key_may_be_refused),
        GATE_TEST(a_full_quarantine_refuses),
        GATE_TEST(without_a_quarantine_bad_packets_are_refused),
        GATE_TEST(the_same_bad_packet_is_kept_once),
        GATE_TEST(what_is_put_away_is_as_durable_as_what_is_delivered),
        GATE_TEST(a_fault_on_the_way_into_quarantine_refuses),
        GATE_TEST(the_same_refusal_is_told_once_with_a_count),
        GATE_TEST(a_window_of_zero_tells_each),
        GATE_TEST(where_the_audit_is_required_it_comes_first),
        GATE_TEST(malformed_packets_are_counted),
        GATE_TEST(what_was_granted_is_taken),
    };
    return cmocka_run_group_tests_name("drop_keeping", tests, nullptr, nullptr);
}
