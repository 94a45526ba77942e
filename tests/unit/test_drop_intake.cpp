// forcecmd/publisher/intake: what the publisher takes from a front that may have been taken over by its
// client. The front of a decent build asks only for what it has judged itself: nothing else shows these
// checks.
#include "tests/unit/support.h"

#include "forcecmd/publisher/intake.h"
#include "tests/unit/fake_fs.h"

#include <sys/mman.h>
#include <sys/socket.h>

using namespace gate;
using drop::Intake;
using drop::k_unknown_size;
using drop::Op;
using drop::Received;
using drop::Request;
using spool::Reason;

namespace {
std::vector<std::string> g_events; // what would have gone to the machine's logger
}

// In front of the C library's, for lib/audit.
extern "C" ssize_t sendto(int, const void* data, size_t size, int, const sockaddr*, socklen_t) {
    g_events.emplace_back(static_cast<const char*>(data), size);
    return static_cast<ssize_t>(size);
}

namespace {

class World {
  public:
    World() {
        g_events.clear();
        login_.policy.spool_directory = dir_ / "data_in";
        login_.policy.spool_staging = dir_ / "staging";
        login_.policy.spool_min_free = 0;
        login_.policy.spool_min_free_percent = 0;
        login_.policy.drop_max_file_size = 1000;
        login_.policy.drop_session_files = 3;
        std::filesystem::create_directory(login_.policy.spool_directory);
        std::filesystem::create_directory(login_.policy.spool_staging);
        login_.key.agents = {{"a", "0cc175b9c0f1b6a831c399e269772661"}};
        trail_.emplace(login_);
        intake.emplace(login_.policy, login_.key, fs_, *trail_);
    }

    // The names in data_in, each with a blank behind it.
    [[nodiscard]] std::string published() const {
        std::string out;
        for (const auto& entry : std::filesystem::directory_iterator(login_.policy.spool_directory))
            out += entry.path().filename().string() + " ";
        return out;
    }
    [[nodiscard]] bool is_staging_empty() const {
        return std::filesystem::is_empty(login_.policy.spool_staging);
    }

  private:
    test::TempDir dir_;
    drop::Login login_;
    test::FakeFs fs_;
    std::optional<drop::Trail> trail_;

  public:
    std::optional<Intake> intake;
};

Request request(Op op, std::string_view name, std::uint64_t size, std::uint64_t declared = k_unknown_size) {
    Request out;
    out.op = op;
    out.file = 0;
    out.size = size;
    out.declared = declared;
    out.set_text(name);
    return out;
}

Received with(std::string_view content) {
    Received out;
    out.content = std::as_bytes(std::span(content));
    return out;
}

// A file as the front delivers it under a grant.
Reason deliver(World& world, std::string_view name, std::string_view content,
               std::uint64_t declared = k_unknown_size) {
    return world.intake->deliver(request(Op::deliver, name, content.size(), declared), with(content));
}

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
        World world;
        CHECK_EQ(deliver(world, row.name, row.content, row.declared), row.reason);
        CHECK_EQ(world.published(), "");
        CHECK_EQ(g_events.size(), 1U);
        CHECK(g_events[0].find("\"event\":\"drop.refused\"") != std::string::npos);
        // The same when it is asked for.
        CHECK(world.intake->begin(request(Op::begin, row.name, 0, row.declared)) != Reason::none ||
              world.intake->commit(request(Op::commit, "", row.content.size()), with(row.content)) !=
                  Reason::none);
        CHECK_EQ(world.published(), "");
    }
    World world;
    CHECK_EQ(deliver(world, "a.1.data", "x", 1), Reason::none);
    CHECK_EQ(world.published(), "a.1.data ");
}

void a_rename_is_judged() {
    World world;
    CHECK_EQ(world.intake->begin(request(Op::begin, "a.1.data", 0)), Reason::none);
    CHECK_EQ(world.intake->rename(request(Op::rename, "b.1.data", 0)), Reason::agent_name);
    CHECK_EQ(world.intake->rename(request(Op::rename, "../a.1.data", 0)), Reason::name_form);
    CHECK_EQ(world.intake->rename(request(Op::rename, "a.1.checksum", 0)), Reason::name_form);
    CHECK_EQ(world.intake->rename(request(Op::rename, "a.2.data", 0)), Reason::none);
    CHECK_EQ(world.intake->commit(request(Op::commit, "", 1), with("x")), Reason::none);
    CHECK_EQ(world.published(), "a.2.data ");
    CHECK_EQ(world.intake->rename(request(Op::rename, "a.3.data", 0)), Reason::protocol); // of no file
}

void a_file_of_another_size_than_declared_is_incomplete() {
    for (const std::string_view content : {"", "four", "sixsix"}) {
        World world;
        CHECK_EQ(world.intake->begin(request(Op::begin, "a.1.data", 0, 5)), Reason::none);
        CHECK_EQ(world.intake->commit(request(Op::commit, "", content.size()), with(content)),
                 Reason::incomplete);
        CHECK_EQ(deliver(world, "a.1.data", content, 5), Reason::incomplete);
        CHECK_EQ(world.published(), "");
    }
}

void content_is_what_was_said_or_nothing() {
    World world;
    for (const std::uint64_t said : {0U, 4U, 6U})
        CHECK_EQ(world.intake->deliver(request(Op::deliver, "a.1.data", said), with("bytes")),
                 Reason::internal);
    Received open = with("");
    open.file.reset(::memfd_create("packet", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    CHECK(::ftruncate(open.file.get(), 5) == 0);
    CHECK_EQ(world.intake->deliver(request(Op::deliver, "a.1.data", 5), open), Reason::internal);
    CHECK_EQ(world.published(), "");
    constexpr int k_seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    CHECK(::fcntl(open.file.get(), F_ADD_SEALS, k_seals) == 0);
    CHECK_EQ(world.intake->deliver(request(Op::deliver, "a.1.data", 5), open), Reason::none);
    CHECK_EQ(world.published(), "a.1.data ");
}

void a_session_has_its_limit_of_files() {
    World world;
    CHECK_EQ(deliver(world, "a.1.data", "x"), Reason::none);
    CHECK_EQ(deliver(world, "a.1.checksum", "x"), Reason::none); // thrown away, and counted
    CHECK_EQ(deliver(world, "a.2.data", "x"), Reason::none);
    CHECK_EQ(deliver(world, "a.3.data", "x"), Reason::session_files);
    CHECK_EQ(world.intake->begin(request(Op::begin, "a.3.data", 0)), Reason::session_files);
}

void requests_out_of_turn_are_refused() {
    World world;
    CHECK_EQ(world.intake->commit(request(Op::commit, "", 0), with("")), Reason::protocol);
    CHECK_EQ(world.intake->begin(request(Op::begin, "a.1.data", 0)), Reason::none);
    CHECK_EQ(world.intake->begin(request(Op::begin, "a.2.data", 0)), Reason::protocol); // 0 is open
    Request beyond = request(Op::begin, "a.3.data", 0);
    for (const std::uint32_t number : {drop::k_max_open_files, drop::k_no_file}) {
        beyond.file = number;
        CHECK_EQ(world.intake->begin(beyond), Reason::protocol);
        CHECK_EQ(world.intake->commit(beyond, with("")), Reason::protocol);
    }
}

void what_is_open_at_the_end_is_given_up() {
    World world;
    CHECK_EQ(world.intake->begin(request(Op::begin, "a.1.data", 0, 5)), Reason::none);
    world.intake->close();
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
