// forcecmd/publisher/intake: what the publisher takes from a front that may have been taken over by its
// client. The front of a decent build asks only for what it has judged itself: nothing else shows these
// checks.
#include "tests/unit/intake_world.h"

#include <sys/mman.h>

using namespace gate;
using drop::k_unknown_size;
using drop::Op;
using drop::Received;
using drop::Request;
using spool::Reason;
using test::g_events;

namespace {

const spool::Verdict k_a = test::IntakeWorld::packet_of("a");

class Judged : public test::IntakeWorld {
  public:
    Judged() {
        policy.drop_session_files = 3;
        static_cast<void>(session());
    }
};

void whatever_the_front_let_in_is_judged_again() {
    const std::string over(1001, 'x');
    const struct {
        std::string_view name;
        std::string_view content;
        std::uint64_t declared;
        Reason reason;
    } table[] = {{"b.1.data", "x", 1, Reason::agent_name},
                 {"a.txt", "x", 1, Reason::name_form},
                 {"../a.1.data", "x", 1, Reason::name_form},
                 {"x/a.1.data", "x", 1, Reason::name_path},
                 {"a.1.data", over, k_unknown_size, Reason::size_file},
                 {"a.1.data", over, 5, Reason::size_file},
                 {"a.1.data", over, 1001, Reason::size_file}};
    for (const auto& row : table) {
        Judged world;
        CHECK_EQ(world.deliver(row.name, row.content, k_a, row.declared), row.reason);
        CHECK_EQ(world.published(), "");
        CHECK_EQ(g_events.size(), 1U);
        CHECK(g_events[0].find("\"event\":\"drop.refused\"") != std::string::npos);
        // The same when it is asked for.
        CHECK(world.same().begin(Judged::request(Op::begin, row.name, 0, row.declared)) != Reason::none ||
              world.same().commit(Judged::request(Op::commit, "", row.content.size()),
                                  Judged::with(row.content, k_a)) != Reason::none);
        CHECK_EQ(world.published(), "");
    }
    Judged world;
    CHECK_EQ(world.deliver("a.1.data", "x", k_a, 1), Reason::none);
    CHECK_EQ(world.published(), "a.1.data ");
}

void a_rename_is_judged() {
    Judged world;
    CHECK_EQ(world.same().begin(Judged::request(Op::begin, "a.1.data", 0)), Reason::none);
    CHECK_EQ(world.same().rename(Judged::request(Op::rename, "b.1.data", 0)), Reason::agent_name);
    CHECK_EQ(world.same().rename(Judged::request(Op::rename, "../a.1.data", 0)), Reason::name_form);
    CHECK_EQ(world.same().rename(Judged::request(Op::rename, "a.1.checksum", 0)), Reason::name_form);
    CHECK_EQ(world.same().rename(Judged::request(Op::rename, "a.2.data", 0)), Reason::none);
    CHECK_EQ(world.same().commit(Judged::request(Op::commit, "", 1), Judged::with("x", k_a)), Reason::none);
    CHECK_EQ(world.published(), "a.2.data ");
    CHECK_EQ(world.same().rename(Judged::request(Op::rename, "a.3.data", 0)), Reason::protocol); // of no file
}

void a_file_of_another_size_than_declared_is_incomplete() {
    for (const std::string_view content : {"", "four", "sixsix"}) {
        Judged world;
        CHECK_EQ(world.same().begin(Judged::request(Op::begin, "a.1.data", 0, 5)), Reason::none);
        CHECK_EQ(
            world.same().commit(Judged::request(Op::commit, "", content.size()), Judged::with(content, k_a)),
            Reason::incomplete);
        CHECK_EQ(world.deliver("a.1.data", content, k_a, 5), Reason::incomplete);
        CHECK_EQ(world.published(), "");
    }
}

void content_is_what_was_said_or_nothing() {
    Judged world;
    for (const std::uint64_t said : {0U, 4U, 6U})
        CHECK_EQ(
            world.same().deliver(Judged::request(Op::deliver, "a.1.data", said), Judged::with("bytes", k_a)),
            Reason::internal);
    Received open = Judged::with("", k_a);
    open.file.reset(::memfd_create("packet", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    CHECK(::ftruncate(open.file.get(), 5) == 0);
    CHECK_EQ(world.same().deliver(Judged::request(Op::deliver, "a.1.data", 5), open), Reason::internal);
    CHECK_EQ(world.published(), "");
    constexpr int k_seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    CHECK(::fcntl(open.file.get(), F_ADD_SEALS, k_seals) == 0);
    CHECK_EQ(world.same().deliver(Judged::request(Op::deliver, "a.1.data", 5), open), Reason::none);
    CHECK_EQ(world.published(), "a.1.data ");
}

void a_session_has_its_limit_of_files() {
    Judged world;
    CHECK_EQ(world.deliver("a.1.data", "x"), Reason::none);
    CHECK_EQ(world.deliver("a.1.checksum", "x"), Reason::none); // thrown away, and counted
    CHECK_EQ(world.deliver("a.2.data", "x"), Reason::none);
    CHECK_EQ(world.deliver("a.3.data", "x"), Reason::session_files);
    CHECK_EQ(world.same().begin(Judged::request(Op::begin, "a.3.data", 0)), Reason::session_files);
}

void requests_out_of_turn_are_refused() {
    Judged world;
    CHECK_EQ(world.same().commit(Judged::request(Op::commit, "", 0), Judged::with("", k_a)),
             Reason::protocol);
    CHECK_EQ(world.same().begin(Judged::request(Op::begin, "a.1.data", 0)), Reason::none);
    CHECK_EQ(world.same().begin(Judged::request(Op::begin, "a.2.data", 0)), Reason::protocol); // 0 is open
    Request beyond = Judged::request(Op::begin, "a.3.data", 0);
    for (const std::uint32_t number : {drop::k_max_open_files, drop::k_no_file}) {
        beyond.file = number;
        CHECK_EQ(world.same().begin(beyond), Reason::protocol);
        CHECK_EQ(world.same().commit(beyond, Judged::with("", k_a)), Reason::protocol);
    }
}

void what_is_open_at_the_end_is_given_up() {
    Judged world;
    CHECK_EQ(world.same().begin(Judged::request(Op::begin, "a.1.data", 0, 5)), Reason::none);
    world.same().close();
    CHECK_EQ(world.published(), "");
    CHECK(world.is_staging_empty());
    CHECK_EQ(g_events.size(), 1U);
    CHECK(g_events[0].find("\"event\":\"drop.aborted\"") != std::string::npos);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(whatever_the_front_let_in_is_judged_again),
        GATE_TEST(a_rename_is_judged),
        GATE_TEST(a_file_of_another_size_than_declared_is_incomplete),
        GATE_TEST(content_is_what_was_said_or_nothing),
        GATE_TEST(a_session_has_its_limit_of_files),
        GATE_TEST(requests_out_of_turn_are_refused),
        GATE_TEST(what_is_open_at_the_end_is_given_up),
    };
    return cmocka_run_group_tests_name("drop_intake", tests, nullptr, nullptr);
}
