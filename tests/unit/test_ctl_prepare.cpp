// What a publish prepares for sessions, and what it remarks on.
#include "tests/unit/support.h"
#include "tests/unit/test_ctl_quarantine.h"

#include <algorithm>

using namespace gate;
using namespace gate::test;

namespace {

struct stat look(const std::string& path) {
    struct stat st {};
    CHECK_MSG(::lstat(path.c_str(), &st) == 0, path);
    return st;
}

bool remarked(const ctl::Context& context, std::string_view words) {
    return std::any_of(context.remarks.begin(), context.remarks.end(),
                       [&](const std::string& r) { return contains(r, words); });
}

std::string all(const ctl::Context& context) {
    std::string out;
    for (const std::string& r : context.remarks)
        out += r + "\n";
    return out;
}

void everything_that_sessions_need_is_made() {
    const mode_t old = ::umask(077);
    QuarantinePlace p;
    ::umask(old);
    const ctl::Account account = p.account();
    CHECK_EQ(look(p.state()).st_mode, mode_t{S_IFDIR | 0700});
    CHECK_EQ(look(p.state()).st_uid, account.uid);
    CHECK_EQ(look(p.state()).st_gid, account.gid);
    CHECK_EQ(look(p.dir / "pause").st_mode, mode_t{S_IFREG | 0644});
    CHECK_EQ(look(p.dir / "pause").st_uid, p.context.owner);
    CHECK_EQ(look(p.dir / "pause").st_size, off_t{0});
    CHECK_EQ(look(p.quarantine()).st_mode, mode_t{S_IFDIR | 01730});
    CHECK_EQ(look(p.quarantine()).st_uid, p.context.owner);
    CHECK_EQ(look(p.quarantine()).st_gid, account.gid); // there is no group of that name
    CHECK_EQ(look(p.state() + "/quarantine").st_mode, mode_t{S_IFREG | 0600});
    CHECK_EQ(look(p.state() + "/quarantine").st_uid, account.uid);
    CHECK_EQ(p.usage().bytes, std::uint64_t{0});
}

void what_is_there_is_set_right_and_kept() {
    QuarantinePlace p;
    write_file(p.dir / "pause", "paused", 0600);
    CHECK_EQ(::chmod(p.state().c_str(), 0777), 0);
    CHECK_EQ(::chmod(p.quarantine().c_str(), 0755), 0);
    write_file(p.state() + "/quarantine", "nonsense", 0600);
    p.put(k_first, {}, std::string(5000, 'x'));
    p.context.remarks.clear();
    p.prepare_all();
    CHECK_EQ(read_file(p.dir / "pause"), std::string("paused"));
    CHECK_EQ(look(p.dir / "pause").st_mode, mode_t{S_IFREG | 0644});
    CHECK_EQ(look(p.state()).st_mode, mode_t{S_IFDIR | 0700});
    CHECK_EQ(look(p.quarantine()).st_mode, mode_t{S_IFDIR | 01730});
    CHECK_EQ(p.usage().packets, std::uint64_t{1});
    CHECK_EQ(p.usage().bytes, spool::charged(5000) + spool::charged(300));
}

void what_is_too_old_is_purged() {
    QuarantinePlace p;
    p.put(k_first, {}, "old");
    p.put(k_second, {}, "young");
    p.make_old(k_first, 31 * 86'400);
    p.prepare_all();
    CHECK(remarked(p.context, "1 packet(s) older than quarantine.max_age were purged"));
    CHECK(::access((p.quarantine() + "/" + k_first + ".json").c_str(), F_OK) != 0);
    CHECK_EQ(p.usage().packets, std::uint64_t{1});
}

void nothing_that_fails_is_a_failure() {
    QuarantinePlace p;
    for (const std::string& path : {p.state(), p.quarantine()}) {
        std::filesystem::remove_all(path);
        CHECK_EQ(::symlink("/tmp", path.c_str()), 0);
    }
    CHECK_EQ(::unlink((p.dir / "pause").c_str()), 0);
    CHECK_EQ(::mkdir((p.dir / "pause").c_str(), 0755), 0);
    p.context.remarks.clear();
    p.prepare_all();
    CHECK_MSG(
        remarked(p.context, "/state, where sessions keep what they know of earlier drops, could not be made"),
        all(p.context));
    CHECK(remarked(p.context, "the quarantine "));
    CHECK(remarked(p.context, "the file for `pandora-gate pause`, "));
    // The spool is not there yet: the Pandora server is installed later.
    std::filesystem::remove_all(p.dir / "spool");
    p.context.remarks.clear();
    p.prepare_all();
    CHECK(!remarked(p.context, "the quarantine"));
}

void a_file_in_place_of_the_sum_is_replaced() {
    QuarantinePlace p;
    const std::string usage = p.state() + "/quarantine";
    CHECK_EQ(::unlink(usage.c_str()), 0);
    CHECK_EQ(::symlink("/etc/passwd", usage.c_str()), 0);
    p.prepare_all();
    CHECK_EQ(look(usage).st_mode, mode_t{S_IFREG | 0600});
    CHECK_EQ(look(usage).st_uid, p.account().uid);
}

void another_account_is_given_the_state() {
    if (::geteuid() != 0)
        SKIP_TEST("only root can give files away");
    QuarantinePlace p;
    write_file(p.state() + "/k-00", "of another account", 0600);
    CHECK_EQ(::chown((p.state() + "/k-00").c_str(), 1, 1), 0);
    CHECK_EQ(::chown(p.state().c_str(), 1, 1), 0);
    p.prepare_all();
    CHECK_EQ(look(p.state()).st_uid, p.account().uid);
    CHECK(::access((p.state() + "/k-00").c_str(), F_OK) != 0);
}

void the_account_is_looked_at() {
    QuarantinePlace p;
    keyring::Policy policy = p.policy();
    policy.account_user = "no-such-user-x";
    p.context.remarks.clear();
    ctl::prepare(p.context, policy);
    CHECK_MSG(remarked(p.context, "account.user no-such-user-x does not exist"), all(p.context));
    policy = p.policy();
    policy.account_shells = p.account().shell;
    p.context.remarks.clear();
    ctl::prepare(p.context, policy);
    CHECK_MSG(p.context.remarks.empty(), all(p.context));
    policy.account_shells = "/bin/x," + p.account().shell + "y";
    policy.account_group = "sys";
    ctl::prepare(p.context, policy);
    CHECK_MSG(remarked(p.context, "is not one of account.shells"), all(p.context));
    CHECK(remarked(p.context, "is not a member of the group sys"));
    const gid_t sys = ctl::find_group("sys").value_or(0);
    if (::geteuid() == 0) // others may not give it away
        CHECK_EQ(look(p.quarantine()).st_gid, sys);
}

void a_trial_elsewhere_leaves_the_machine_alone() {
    Place p;
    keyring::Policy policy;
    policy.account_user = QuarantinePlace::account().name;
    const bool before = ::access(policy.spool_quarantine.c_str(), F_OK) == 0;
    ctl::prepare(p.context, policy);
    CHECK_EQ(::access(policy.spool_quarantine.c_str(), F_OK) == 0, before);
    CHECK(::access((p.dir / "state").c_str(), F_OK) == 0);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(everything_that_sessions_need_is_made),
        GATE_TEST(what_is_there_is_set_right_and_kept),
        GATE_TEST(what_is_too_old_is_purged),
        GATE_TEST(nothing_that_fails_is_a_failure),
        GATE_TEST(a_file_in_place_of_the_sum_is_replaced),
        GATE_TEST(another_account_is_given_the_state),
        GATE_TEST(the_account_is_looked_at),
        GATE_TEST(a_trial_elsewhere_leaves_the_machine_alone),
    };
    return cmocka_run_group_tests_name("ctl_prepare", tests, nullptr, nullptr);
}
