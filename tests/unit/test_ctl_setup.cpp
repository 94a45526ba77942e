// `pandora-gate setup` from beginning to end, on machines that are directories: twice is once, taken back is
// as it was, and what fails at any step leaves nothing behind.
#include "tests/unit/test_ctl_setup.h"

#include "gatectl/setup/manifest.h"

using namespace gate;
using namespace gate::test;

namespace {

struct Kind {
    const char* name;
    bool debian;
    int pandora; // 0: no account, 1: with a group of its own, 2: without
    std::uint64_t own_port;
};
constexpr Kind k_kinds[] = {
    {"debian, drop-in", true, 0, 0},     {"debian, own", true, 0, 2222},
    {"debian with pandora", true, 1, 0}, {"rpm with pandora, own", false, 2, 2222},
    {"rpm with pandora", false, 2, 0},   {"rpm, own", false, 0, 2222},
};

void prepare(FakeMachine& machine, const Kind& kind) {
    if (kind.pandora != 0)
        machine.add_pandora(kind.pandora == 1);
}

void a_second_run_finds_nothing_to_do_and_taking_back_leaves_nothing() {
    for (const Kind& kind : k_kinds) {
        FakeMachine m(kind.debian);
        prepare(m, kind);
        const auto before = m.all();
        CHECK(contains(m.run(to_show(kind.own_port)), "dry run: nothing was changed"));
        m.same(before, std::string(kind.name) + ", dry run");
        CHECK(contains(m.run(to_apply(kind.own_port)), " changes made; "));
        const auto set_up = m.all();
        CHECK(set_up != before);
        CHECK(contains(m.run(to_apply(kind.own_port)), "nothing to do"));
        m.same(set_up, std::string(kind.name) + ", second run");
        CHECK(contains(m.run(to_remove()), " taken back\n"));
        CHECK_EQ(m.context.exit_status, 0);
        m.same(before, std::string(kind.name) + ", taken back");
        CHECK(contains(m.run(to_remove()), "nothing to do"));
    }
}

void whatever_fails_is_taken_back() {
    for (const Kind& kind : k_kinds) {
        int faults = 0;
        for (int at = 1;; ++at) {
            FakeMachine m(kind.debian);
            prepare(m, kind);
            const auto before = m.all();
            m.fault = {.at = at};
            bool failed = false;
            try {
                static_cast<void>(m.run(to_apply(kind.own_port)));
            } catch (const ctl::Problem& problem) {
                failed = true;
                CHECK_MSG(contains(problem.what(), "a fault"), problem.what());
                CHECK_MSG(!contains(problem.what(), "FAILED"), problem.what());
            }
            if (!failed)
                break;
            ++faults;
            m.same(before, fmt::format("{}, fault {}", kind.name, at));
        }
        CHECK_MSG(faults > 15, kind.name);
    }
}

void a_change_that_fails_leaves_what_an_earlier_setup_made() {
    for (int at = 1;; ++at) {
        FakeMachine m;
        static_cast<void>(m.run(to_apply()));
        const auto set_up = m.all();
        m.fault = {.at = at, .seen = 0};
        bool failed = false;
        try {
            static_cast<void>(m.run(to_apply(2222))); // the other form
        } catch (const ctl::Problem&) {
            failed = true;
        }
        if (!failed)
            break;
        m.same(set_up, fmt::format("fault {}", at));
    }
}

void a_power_cut_at_any_moment_can_be_taken_back() {
    for (const Kind& kind : {k_kinds[0], k_kinds[3]})
        for (int at = 1;; ++at) {
            FakeMachine m(kind.debian);
            prepare(m, kind);
            const auto before = m.all();
            m.fault = {.at = at, .seen = 0, .power_cut = true};
            bool cut = false;
            try {
                static_cast<void>(m.run(to_apply(kind.own_port)));
            } catch (int) {
                cut = true;
            }
            if (!cut)
                break;
            m.fault = {};
            static_cast<void>(m.run(to_remove()));
            CHECK_EQ(m.context.exit_status, 0);
            m.place.remove_tree(setup::k_setup_state); // keys in their making
            m.same(before, fmt::format("{}, cut at {}", kind.name, at));
        }
}

void other_values_change_what_is_there_and_what_was_before_is_remembered() {
    FakeMachine m;
    const auto before = m.all();
    setup::Request request = to_apply(2222);
    request.ssh.sizes.agents = 300;
    static_cast<void>(m.run(request));
    const std::string key = read_file(m.dir / "etc/pandora-gate/ssh_host_rsa_key");
    CHECK(contains(read_file(m.dir / "etc/pandora-gate/sshd_config"), "\nMaxStartups 400:30:800\n"));
    request.ssh.sizes.agents = 3000;
    request.ssh.own_port = 2022;
    request.ssh.legacy_clients = true;
    static_cast<void>(m.run(request));
    const std::string config = read_file(m.dir / "etc/pandora-gate/sshd_config");
    CHECK(contains(config, "\nMaxStartups 3750:30:7500\n") && contains(config, "\nPort 2022\n"));
    CHECK(contains(config, "\nHostKeyAlgorithms +ssh-rsa\n"));
    CHECK_EQ(read_file(m.dir / "etc/pandora-gate/ssh_host_rsa_key"), key);
    refused(ctl::Status::refused, "--own-port again", [&] { static_cast<void>(m.run(to_apply())); });
    static_cast<void>(m.run(to_remove()));
    m.same(before, "taken back");
}

void from_one_form_to_the_other_the_lines_in_pam_go_back() {
    FakeMachine m;
    const auto before = m.all();
    static_cast<void>(m.run(to_apply()));
    CHECK(contains(read_file(m.dir / "etc/pam.d/sshd"), "pam_pandora.so"));
    static_cast<void>(m.run(to_apply(2222)));
    CHECK_EQ(read_file(m.dir / "etc/pam.d/sshd"), std::string(k_debian_pam));
    CHECK(contains(read_file(m.dir.path() + setup::k_drop_in), "\nDenyUsers pandora\n"));
    static_cast<void>(m.run(to_remove()));
    m.same(before, "taken back");
}

void what_somebody_changed_since_stays_and_so_does_the_group_that_it_names() {
    FakeMachine m;
    const auto before = m.all();
    static_cast<void>(m.run(to_apply()));
    m.append("/etc/pam.d/sshd", "# mine\n");
    const std::string text = m.run(to_remove());
    CHECK(contains(text, "/etc/pam.d/sshd was changed since"));
    CHECK_EQ(m.context.exit_status, 1);
    CHECK(contains(read_file(m.dir / "etc/pam.d/sshd"), "# mine\n"));
    CHECK(contains(read_file(m.dir / "etc/group"), "pandora:x:"));
    CHECK(contains(read_file(m.dir / "etc/passwd"), "pandora:x:"));
    setup::Request all = to_remove();
    all.force = true;
    static_cast<void>(m.run(all));
    CHECK_EQ(m.context.exit_status, 0);
    m.same(before, "by force");
}

void packets_that_wait_keep_their_owner() {
    FakeMachine m;
    static_cast<void>(m.run(to_apply()));
    m.file("/var/spool/pandora/data_in/web01.1.data", "x");
    CHECK(contains(m.run(to_remove()), "data_in holds files"));
    CHECK_EQ(m.context.exit_status, 1);
    CHECK(contains(read_file(m.dir / "etc/passwd"), "pandora:x:"));
    CHECK_EQ(read_file(m.dir / "var/spool/pandora/data_in/web01.1.data"), std::string("x"));
    ::unlink((m.dir / "var/spool/pandora/data_in/web01.1.data").c_str());
    static_cast<void>(m.run(to_remove()));
    CHECK_EQ(m.context.exit_status, 0);
    CHECK(!contains(read_file(m.dir / "etc/passwd"), "pandora:x:"));
}

void an_account_that_was_there_gets_its_own_back() {
    FakeMachine m;
    m.add_pandora(true);
    static_cast<void>(m.run(to_apply()));
    CHECK(contains(read_file(m.dir / "etc/passwd"),
                   "pandora:x:500:500::/var/lib/pandora-gate/home:/usr/libexec/pandora-gate/drop\n"));
    CHECK(contains(read_file(m.dir / "etc/shadow"), "pandora:*:19000:"));
    // A password that was given since is somebody's intent (`enrol on` needs one).
    m.programs.ran.clear();
    write_file(m.dir / "etc/shadow", "root:*:20000::::::\ndaemon:*:20000::::::\npandora:$y$new:20790::::::\n"
                                     "_pandora-gate:*:20780::::::\n");
    CHECK(contains(m.run(to_apply()), "was given a password since"));
    CHECK(contains(read_file(m.dir / "etc/shadow"), "pandora:$y$new:20790:"));
    CHECK(contains(m.run(to_remove()), "the password of pandora was changed since"));
    CHECK_EQ(m.context.exit_status, 1);
    CHECK(contains(read_file(m.dir / "etc/passwd"), "pandora:x:500:500::/home/pandora:/bin/bash\n"));
}

void another_value_that_wins_is_told_and_everything_is_taken_back() {
    for (const char* keyword : {"forcecommand", "authorizedkeyscommand", "authenticationmethods",
                                "authorizedkeysfile", "kbdinteractiveauthentication", "exposeauthinfo"}) {
        FakeMachine m;
        const auto before = m.all();
        m.programs.wins = {{keyword, "something-else"}};
        refused(ctl::Status::refused, keyword, [&] { static_cast<void>(m.run(to_apply())); });
        m.same(before, keyword);
    }
    FakeMachine m;
    const auto before = m.all();
    m.programs.wins = {{"denyusers", "somebody"}};
    refused(ctl::Status::refused, "does not deny pandora", [&] { static_cast<void>(m.run(to_apply(2222))); });
    m.same(before, "not denied");
    refused(ctl::Status::refused, "port 22 is that of the administrators' sshd", [&] {
        m.directory("/run/sshd");
        static_cast<void>(m.run(to_apply(22)));
    });
}

void services_hear_of_it_only_where_systemd_runs() {
    FakeMachine m;
    const auto count = [&m] {
        return std::count_if(m.programs.ran.begin(), m.programs.ran.end(),
                             [](const std::string& line) { return line.starts_with("systemctl "); });
    };
    CHECK(contains(m.run(to_apply(2222)), "to be done: systemctl try-reload-or-restart ssh.service\n"));
    CHECK_EQ(count(), 0);
    static_cast<void>(m.run(to_remove()));
    m.directory("/run/systemd/system");
    m.programs.ran.clear();
    CHECK(contains(m.run(to_apply(2222)), "run: systemctl restart pandora-gate-sshd.service\n"));
    CHECK_EQ(count(), 5);
    CHECK_EQ(m.programs.ran.back(), std::string("systemctl try-reload-or-restart ssh.service"));
    static_cast<void>(m.run(to_remove()));
    CHECK(std::find(m.programs.ran.begin(), m.programs.ran.end(),
                    "systemctl stop pandora-gate-sshd.service") != m.programs.ran.end());
}

void a_sweep_that_will_be_stopped_keeps_no_account() {
    const auto removed = [](const char* program, bool systemd) {
        FakeMachine m;
        m.file("/etc/pandora-gate/ftp.pem", "");
        if (systemd)
            m.directory("/run/systemd/system");
        setup::Request request = to_apply();
        for (const char* part : {"account", "ftp"}) {
            request.part = part;
            static_cast<void>(m.run(request));
        }
        const std::string uid = std::to_string(setup::read_accounts(m.place).user("pandora")->uid);
        m.file("/proc/17/status",
               fmt::format("Name:\t{}\nUid:\t{}\t{}\t{}\t{}\n", program, uid, uid, uid, uid));
        return m.run(to_remove());
    };
    CHECK(!contains(removed("sweep", true), "left as it is: the user"));
    CHECK(contains(removed("sweep", false), "the user pandora runs something"));
    CHECK(contains(removed("sleep", true), "the user pandora runs something"));
}

void the_shell_of_the_account_leaves_etc_shells() {
    FakeMachine m;
    m.append("/etc/shells", "/usr/libexec/pandora-gate/drop\n");
    const auto before = m.all();
    static_cast<void>(m.run(to_apply()));
    CHECK_EQ(read_file(m.dir / "etc/shells"), std::string("/bin/sh\n"));
    static_cast<void>(m.run(to_remove()));
    m.same(before, "taken back");
}

void directories_that_others_trust_are_roots_unless_somebody_needs_them() {
    FakeMachine m;
    m.add_pandora(true);
    static_cast<void>(m.run(to_apply()));
    CHECK_EQ(m.place.look("/var/spool/pandora/data_in/conf").uid, uid_t{0});
    CHECK_EQ(m.place.look("/var/spool/pandora/data_in/conf").gid, gid_t{33});
    FakeMachine with;
    with.add_pandora(true);
    with.file("/etc/init.d/tentacle_serverd", "");
    CHECK(contains(with.run(to_apply()), "Tentacle writes there in its name"));
    CHECK_EQ(with.place.look("/var/spool/pandora/data_in/conf").uid, uid_t{500});
}

void an_account_of_the_group_root_is_named_itself() {
    FakeMachine m(false);
    m.add_pandora(false);
    static_cast<void>(m.run(to_apply()));
    CHECK(contains(read_file(m.dir / "etc/pam.d/sshd"), " user=pandora scope=members "));
    for (const char* file : {"etc/pam.d/sshd", "etc/pam.d/system-auth", "etc/pam.d/password-auth"})
        CHECK(!contains(read_file(m.dir / file), "group="));
    CHECK(!contains(read_file(m.dir / "etc/group"), "pandora:x:500"));
}

void parts_by_themselves() {
    FakeMachine m;
    const auto before = m.all();
    setup::Request ssh = to_apply();
    ssh.part = "ssh";
    refused(ctl::Status::refused, "there is no account pandora yet", [&] { static_cast<void>(m.run(ssh)); });
    m.same(before, "ssh without account");
    setup::Request account = to_apply();
    account.part = "account";
    static_cast<void>(m.run(account));
    CHECK(!contains(read_file(m.dir / "etc/pam.d/sshd"), "pam_pandora"));
    static_cast<void>(m.run(ssh));
    CHECK(contains(read_file(m.dir / "etc/pam.d/sshd"), "pam_pandora"));
    account.apply = false;
    account.remove = true;
    refused(ctl::Status::refused, "remove that first", [&] { static_cast<void>(m.run(account)); });
    ssh.apply = false;
    ssh.remove = true;
    static_cast<void>(m.run(ssh));
    static_cast<void>(m.run(account));
    m.same(before, "one after the other");
}

void no_line_names_a_module_that_pam_cannot_load() {
    const setup::PathState good = {.kind = setup::PathState::Kind::file, .mode = 0644};
    const auto with = [&](auto change) {
        setup::PathState out = good;
        change(out);
        return out;
    };
    for (const auto& module : {with([](auto& m) { m.kind = setup::PathState::Kind::absent; }),
                               with([](auto& m) { m.mode = 0664; }), with([](auto& m) { m.mode = 0646; }),
                               with([](auto& m) { m.uid = 500; })})
        for (const char* part : {"ssh", "ftp", ""}) {
            FakeMachine m;
            m.file("/etc/pandora-gate/ftp.pem", "");
            setup::Request request = to_apply();
            request.part = "account";
            if (*part != '\0')
                static_cast<void>(m.run(request));
            m.place.put(k_module, module);
            const auto before = m.all();
            request.part = part;
            refused(ctl::Status::no_input, "libpam-pandora", [&] { static_cast<void>(m.run(request)); });
            m.same(before, part);
            m.place.put(k_module, good); // the control
            CHECK(contains(m.run(request), " changes made; "));
        }
}

} // namespace

int main() {
    // Thousands of small files: where there is a memory for them, not on the disk.
    if (::access("/dev/shm", W_OK | X_OK) == 0)
        ::setenv("TMPDIR", "/dev/shm", 0);
    const CMUnitTest tests[] = {
        GATE_TEST(a_second_run_finds_nothing_to_do_and_taking_back_leaves_nothing),
        GATE_TEST(whatever_fails_is_taken_back),
        GATE_TEST(a_change_that_fails_leaves_what_an_earlier_setup_made),
        GATE_TEST(a_power_cut_at_any_moment_can_be_taken_back),
        GATE_TEST(other_values_change_what_is_there_and_what_was_before_is_remembered),
        GATE_TEST(from_one_form_to_the_other_the_lines_in_pam_go_back),
        GATE_TEST(what_somebody_changed_since_stays_and_so_does_the_group_that_it_names),
        GATE_TEST(packets_that_wait_keep_their_owner),
        GATE_TEST(an_account_that_was_there_gets_its_own_back),
        GATE_TEST(another_value_that_wins_is_told_and_everything_is_taken_back),
        GATE_TEST(services_hear_of_it_only_where_systemd_runs),
        GATE_TEST(a_sweep_that_will_be_stopped_keeps_no_account),
        GATE_TEST(the_shell_of_the_account_leaves_etc_shells),
        GATE_TEST(directories_that_others_trust_are_roots_unless_somebody_needs_them),
        GATE_TEST(an_account_of_the_group_root_is_named_itself),
        GATE_TEST(parts_by_themselves),
        GATE_TEST(no_line_names_a_module_that_pam_cannot_load),
    };
    return cmocka_run_group_tests_name("ctl_setup", tests, nullptr, nullptr);
}
