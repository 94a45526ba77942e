// `pandora-gate setup` on a machine that it, or somebody else, has changed before: what an earlier one was
// told, what an administrator did in between, and hashes of passwords, which stand nowhere that others can
// read.
#include "tests/unit/test_ctl_setup.h"

#include "gatectl/setup/manifest.h"

using namespace gate;
using namespace gate::test;

namespace {

const std::string k_manifest = std::string(setup::k_setup_state) + "/manifest.json";

setup::Request own(const std::function<void(setup::Request&)>& change = {}) {
    setup::Request out = to_apply(2222);
    if (change)
        change(out);
    return out;
}

void all_wishes(setup::Request& request) {
    request.ssh.sizes = {.agents = 3000, .interval = 60};
    request.ssh.legacy_clients = true;
    request.ssh.enrolment = false;
}

void what_an_earlier_setup_was_told_is_kept() {
    FakeMachine m;
    static_cast<void>(m.run(own(all_wishes)));
    const auto set_up = m.all();
    const std::string text = m.run(own());
    CHECK(contains(text, "kept from the setup before: --agents 3000 (or say another number),"));
    CHECK(contains(text, "--interval 60 (or say another)"));
    CHECK(contains(text, "--legacy-clients (or say --no-legacy-clients)"));
    CHECK(contains(text, "--no-enrolment (or say --enrolment)"));
    CHECK(contains(text, "nothing to do"));
    m.same(set_up, "the same again");
    // Another port, and that only.
    setup::Request other = to_apply(2022);
    static_cast<void>(m.run(other));
    std::string config = read_file(m.dir.path() + setup::k_own_config);
    CHECK(contains(config, "\nPort 2022\n") && contains(config, "\nMaxStartups 3750:30:7500\n"));
    CHECK(contains(config, " each every 60 s") && contains(config, "+ssh-rsa"));
    CHECK(contains(config, "\nAuthenticationMethods publickey\n"));
    CHECK(!m.place.exists("/etc/systemd/system/pandora-gate-enrol.service"));
    // Each can be said otherwise, also where that is what nobody has to say.
    const auto said = [&](const std::function<void(setup::Request&)>& change) {
        setup::Request request = other;
        change(request);
        static_cast<void>(m.run(request));
        return read_file(m.dir.path() + setup::k_own_config);
    };
    config = said([](auto& r) { r.said.legacy_clients = true; });
    CHECK(!contains(config, "+ssh-rsa") && contains(config, "\nMaxStartups 3750:30:7500\n"));
    CHECK(contains(said([](auto& r) { r.said.interval = true; }), " each every 300 s"));
    config = said([](auto& r) { r.said.enrolment = true; });
    CHECK(contains(config, "\nAuthenticationMethods publickey password\n") && !contains(config, "+ssh-rsa"));
    CHECK(m.place.exists("/etc/systemd/system/pandora-gate-enrol.service"));
    CHECK(contains(said([](auto& r) { r.ssh.sizes.agents = 300; }), "\nMaxStartups 400:30:800\n"));
    // What was said last is what is kept.
    CHECK(contains(m.run(other), "kept from the setup before: --agents 300 (or say another number)\n"));
}

void wishes_end_with_what_they_were_for() {
    FakeMachine m;
    const auto before = m.all();
    static_cast<void>(m.run(own(all_wishes)));
    setup::Request ssh = to_remove();
    ssh.part = "ssh";
    static_cast<void>(m.run(ssh));
    CHECK(!contains(m.run(to_apply()), "kept from"));
    CHECK(contains(read_file(m.dir.path() + setup::k_drop_in), "AuthenticationMethods publickey password"));
    static_cast<void>(m.run(to_remove()));
    m.same(before, "taken back");
}

void a_setup_that_fails_leaves_no_wish() {
    FakeMachine m;
    static_cast<void>(m.run(own()));
    const auto set_up = m.all();
    m.programs.wins = {{"forcecommand", "another"}};
    refused(ctl::Status::refused, "forcecommand", [&] { static_cast<void>(m.run(own(all_wishes))); });
    m.programs.wins.clear();
    m.same(set_up, "taken back");
    CHECK(!contains(m.run(own()), "kept from"));
}

void a_manifest_of_before_wishes_were_kept_is_read() {
    FakeMachine m;
    const auto before = m.all();
    static_cast<void>(m.run(own(all_wishes)));
    auto json = nlohmann::ordered_json::parse(read_file(m.dir.path() + k_manifest));
    CHECK_EQ(json.erase("wishes"), 1U);
    for (auto& entry : json.at("entries"))
        entry.erase("edited");
    write_file(m.dir.path() + k_manifest, json.dump(1), 0600);
    CHECK(!contains(m.run(own()), "kept from"));
    CHECK(contains(read_file(m.dir.path() + setup::k_own_config), "\nMaxStartups 1250:30:2500\n"));
    static_cast<void>(m.run(to_remove()));
    CHECK_EQ(m.context.exit_status, 0);
    m.same(before, "taken back");
}

void keys_only(setup::Request& request) {
    request.ssh.enrolment = false;
}
setup::Request drop_in(const std::function<void(setup::Request&)>& change = {}) {
    setup::Request out = to_apply();
    if (change)
        change(out);
    return out;
}

// The second --apply writes its lines among his, and his are not taken for its own.
void what_somebody_wrote_between_two_setups_is_his() {
    FakeMachine m;
    const auto before = m.all();
    static_cast<void>(m.run(drop_in()));
    m.append("/etc/pam.d/sshd", "# mine\n");
    static_cast<void>(m.run(drop_in(keys_only)));
    CHECK(!contains(read_file(m.dir / "etc/pam.d/sshd"), " enrol"));
    CHECK(contains(read_file(m.dir / "etc/pam.d/sshd"), "# mine\n"));
    setup::Request again = drop_in();
    again.said.enrolment = true;
    static_cast<void>(m.run(again)); // once more: it is still his
    CHECK(contains(m.run(to_remove()), "/etc/pam.d/sshd was changed since"));
    CHECK_EQ(m.context.exit_status, 1);
    CHECK(contains(read_file(m.dir / "etc/pam.d/sshd"), "# mine\n"));
    CHECK(contains(read_file(m.dir / "etc/passwd"), "pandora:x:")); // which its lines name
    setup::Request all = to_remove();
    all.force = true;
    static_cast<void>(m.run(all));
    CHECK_EQ(m.context.exit_status, 0);
    m.same(before, "by force");
}

// Of a file that is setup's as a whole nothing of his is left: it says so in its first line.
void a_file_that_is_written_as_a_whole_is_setups_again() {
    FakeMachine m;
    const auto before = m.all();
    static_cast<void>(m.run(drop_in()));
    m.append(setup::k_drop_in, "# mine\n");
    static_cast<void>(m.run(drop_in()));
    CHECK(!contains(read_file(m.dir.path() + setup::k_drop_in), "# mine"));
    static_cast<void>(m.run(to_remove()));
    CHECK_EQ(m.context.exit_status, 0);
    m.same(before, "taken back");
}

// Noted, and then the power was cut: what is there is not somebody else's.
void what_was_noted_and_not_written_is_nobodys_edit() {
    for (int at = 1;; ++at) {
        FakeMachine m;
        const auto before = m.all();
        m.fault = {.at = at, .seen = 0, .power_cut = true};
        bool cut = false;
        try {
            static_cast<void>(m.run(drop_in()));
        } catch (int) {
            cut = true;
        }
        m.fault = {};
        static_cast<void>(m.run(drop_in()));
        static_cast<void>(m.run(to_remove()));
        CHECK_MSG(m.context.exit_status == 0, fmt::format("cut at {}", at));
        m.same(before, fmt::format("cut at {}", at));
        if (!cut)
            break;
    }
}

void a_password_given_between_two_setups_is_the_accounts() {
    FakeMachine m;
    m.add_pandora(true);
    static_cast<void>(m.run(drop_in()));
    std::string shadow = read_file(m.dir / "etc/shadow");
    shadow.replace(shadow.find("pandora:*:19000"), 15, "pandora:$y$new:20790");
    write_file(m.dir / "etc/shadow", shadow);
    std::string passwd = read_file(m.dir / "etc/passwd");
    passwd.replace(passwd.find("/usr/libexec/pandora-gate/drop"), 30, "/bin/bash");
    write_file(m.dir / "etc/passwd", passwd);
    static_cast<void>(m.run(drop_in())); // a step for the shell, and none for the password
    CHECK(contains(read_file(m.dir / "etc/passwd"), "/usr/libexec/pandora-gate/drop\n"));
    const std::string text = m.run(to_remove());
    CHECK_MSG(contains(text, "the password of pandora was changed since"), text);
    CHECK_EQ(m.context.exit_status, 1);
    CHECK(contains(read_file(m.dir / "etc/shadow"), "pandora:$y$new:20790:"));
    CHECK(contains(read_file(m.dir / "etc/passwd"), "::/home/pandora:/bin/bash\n"));
}

void nothing_says_the_hash(const FakeMachine& m, const std::string& text) {
    CHECK_MSG(!contains(text, "$y$"), text);
    for (const std::string& line : m.programs.ran)
        CHECK_MSG(!contains(line, "$y$"), line);
}

void a_hash_stands_in_no_argument_and_in_no_message() {
    FakeMachine m;
    m.add_pandora(true);
    const auto before = m.all();
    std::string text = m.run(drop_in());
    setup::Request dry = to_remove();
    m.context.dry_run = true;
    text += setup::setup(m.context, m.place, m.programs, dry);
    CHECK(contains(text, "would run: chpasswd -e, with the hash of pandora\n"));
    text += m.run(to_remove());
    CHECK(contains(text, "\nrun: chpasswd -e, with the hash of pandora\nrun: chage -d 19000 pandora\n"));
    nothing_says_the_hash(m, text);
    m.same(before, "taken back");
    for (int at = 1, faults = 0;; ++at) { // on the way there, and on the way back
        FakeMachine faulty;
        faulty.add_pandora(true);
        if (at % 2 == 0)
            static_cast<void>(faulty.run(drop_in()));
        const auto files = faulty.all();
        faulty.fault = {.at = at / 2 + 1};
        std::string said;
        try {
            said = faulty.run(at % 2 == 0 ? to_remove() : drop_in());
        } catch (const ctl::Problem& problem) {
            said = problem.what();
            ++faults;
            faulty.same(files, said);
        }
        nothing_says_the_hash(faulty, said);
        if (at > 80) {
            CHECK(faults > 30);
            break;
        }
    }
}

// Removed with its user, made again because what came later failed.
void a_user_that_was_removed_comes_back_with_its_hash() {
    FakeMachine m;
    m.directory("/run/systemd/system");
    static_cast<void>(m.run(drop_in()));
    std::string shadow = read_file(m.dir / "etc/shadow");
    const std::size_t at = shadow.find("pandora:*:");
    shadow.replace(at, shadow.find(':', at + 10) - at, "pandora:$y$new:20790");
    write_file(m.dir / "etc/shadow", shadow);
    m.programs.ran.clear();
    m.programs.running["ssh.service"] = m.programs.files_of("ssh.service");
    m.programs.broken = "ssh.service";
    refused(ctl::Status::io, "everything was taken back", [&] { static_cast<void>(m.run(to_remove())); });
    CHECK(std::find(m.programs.ran.begin(), m.programs.ran.end(), "userdel pandora") != m.programs.ran.end());
    CHECK(contains(read_file(m.dir / "etc/shadow"), "pandora:$y$new:20790:"));
    nothing_says_the_hash(m, {});
}

// usermod refuses to change the home of a user who runs something: the rest is not to fail for that.
void the_home_of_a_user_who_runs_something_is_left() {
    FakeMachine m;
    m.add_pandora(true);
    const auto before = m.all();
    static_cast<void>(m.run(to_apply()));
    m.file("/proc/17/status", "Name:\tdrop\nUid:\t500\t500\t500\t500\n");
    for (const bool force : {false, true}) {
        setup::Request request = to_remove();
        request.force = force;
        CHECK(contains(m.run(request), "the home of pandora, of which processes run: say this again"));
        CHECK_EQ(m.context.exit_status, 1);
        CHECK(contains(read_file(m.dir / "etc/passwd"), "::/var/lib/pandora-gate/home:/bin/bash\n"));
        CHECK(contains(read_file(m.dir / "etc/shadow"), "pandora:$y$secret:19000:"));
        CHECK_EQ(read_file(m.dir / "etc/pam.d/sshd"), std::string(k_debian_pam));
    }
    std::filesystem::remove_all(m.dir / "proc/17");
    static_cast<void>(m.run(to_remove()));
    CHECK_EQ(m.context.exit_status, 0);
    m.same(before, "taken back");
}

// A line of PAM that names a group that is not there, or that the account is not in, refuses everybody.
void no_line_names_a_group_that_does_not_hold_the_account() {
    for (const bool made : {false, true}) {
        FakeMachine m;
        m.append("/etc/passwd", "pandora:x:500:1::/home/pandora:/bin/bash\n"); // of group daemon
        m.append("/etc/shadow", "pandora:*:19000::::::\n");
        m.directory("/var/spool/pandora/data_in");
        if (made)
            m.append("/etc/group", "pandora:x:500:ann\n");
        const auto before = m.all();
        for (const std::uint64_t port : {0U, 2222U}) {
            setup::Request ssh = to_apply(port);
            ssh.part = "ssh";
            refused(ctl::Status::refused, "the account pandora is not in group pandora",
                    [&] { static_cast<void>(m.run(ssh)); });
            m.same(before, "refused");
        }
        setup::Request request = to_apply();
        request.part = "account"; // the control: it makes, or fills, the group
        static_cast<void>(m.run(request));
        request.part = "ssh";
        static_cast<void>(m.run(request));
        CHECK(contains(read_file(m.dir / "etc/pam.d/sshd"), " group=pandora scope=members "));
        static_cast<void>(m.run(to_remove()));
        CHECK_EQ(m.context.exit_status, 0);
    }
}

} // namespace

int main() {
    if (::access("/dev/shm", W_OK | X_OK) == 0)
        ::setenv("TMPDIR", "/dev/shm", 0);
    const CMUnitTest tests[] = {
        GATE_TEST(what_an_earlier_setup_was_told_is_kept),
        GATE_TEST(wishes_end_with_what_they_were_for),
        GATE_TEST(a_setup_that_fails_leaves_no_wish),
        GATE_TEST(a_manifest_of_before_wishes_were_kept_is_read),
        GATE_TEST(what_somebody_wrote_between_two_setups_is_his),
        GATE_TEST(a_file_that_is_written_as_a_whole_is_setups_again),
        GATE_TEST(what_was_noted_and_not_written_is_nobodys_edit),
        GATE_TEST(a_password_given_between_two_setups_is_the_accounts),
        GATE_TEST(a_hash_stands_in_no_argument_and_in_no_message),
        GATE_TEST(a_user_that_was_removed_comes_back_with_its_hash),
        GATE_TEST(the_home_of_a_user_who_runs_something_is_left),
        GATE_TEST(no_line_names_a_group_that_does_not_hold_the_account),
    };
    return cmocka_run_group_tests_name("ctl_setup_again", tests, nullptr, nullptr);
}
