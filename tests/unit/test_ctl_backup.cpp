// `pandora-gate backup`, `restore`: what comes back, what stays revoked, and that a hostile or damaged
// archive changes nothing.
#include "tests/unit/support.h"
#include "tests/unit/test_ctl_place.h"

#include "gatectl/backup/commands.h"
#include "gatectl/backup/manifest.h"
#include "gatectl/enrol/commands.h"
#include "gatectl/pause/commands.h"
#include "gatectl/publish/publish.h"
#include "lib/base/clock.h"
#include "lib/base/sha256.h"
#include "lib/spool/pause.h"

#include <algorithm>
#include <archive.h>
#include <archive_entry.h>
#include <map>
#include <pwd.h>
#include <sqlite3.h>
#include <sys/wait.h>

using namespace gate;
using namespace gate::test;

namespace {

namespace fs = std::filesystem;

const std::string k_memory = "k-" + std::string(64, '7');

// A machine: a Place with host keys and the state of a key.
struct Machine : Place {
    Machine() {
        context.host_key_directory = dir / "ssh";
        CHECK_EQ(::mkdir((dir / "ssh").c_str(), 0755), 0);
    }
    [[nodiscard]] static std::string account() {
        if (::geteuid() == 0)
            return "daemon"; // root is no account for agents
        const passwd* entry = ::getpwuid(::geteuid());
        return entry != nullptr ? entry->pw_name : "";
    }
    void configure(const std::string& more = {}) {
        write_file(context.config, "[account]\nuser = \"" + account() + "\"\n" + more);
    }
    void make_host_keys(std::string_view what) {
        write_file(dir / "ssh/ssh_host_ed25519_key", fmt::format("private {}\n", what), 0600);
        write_file(dir / "ssh/ssh_host_ed25519_key.pub", fmt::format("public {}\n", what), 0644);
        write_file(dir / "ssh/sshd_config", "Port 22\n");
    }
    [[nodiscard]] std::string memory_path() const { return dir / ("state/" + k_memory); }
    void make_memory(std::string_view bytes) {
        ::mkdir((dir / "state").c_str(), 0700);
        write_file(memory_path(), bytes, 0600);
        const passwd* entry = ::getpwnam(account().c_str());
        CHECK(entry != nullptr);
        CHECK_EQ(::chown(memory_path().c_str(), entry->pw_uid, entry->pw_gid), 0);
    }
    [[nodiscard]] bool remarked(std::string_view words) const {
        return std::any_of(context.remarks.begin(), context.remarks.end(),
                           [&](const std::string& remark) { return contains(remark, words); });
    }
    std::string backup(const std::string& name, bool full = false, bool host_keys = false) {
        return ctl::backup_command(
            context, {.file = dir / name, .full = full, .host_keys = host_keys, .force = false});
    }
    std::string restore(const std::string& file, bool host_keys = false) {
        return ctl::restore_command(context, {.file = file, .host_keys = host_keys});
    }
};

// Everything below a directory: what is there, with its bytes.
[[nodiscard]] std::map<std::string, std::string> everything(const std::string& directory) {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(directory))
        out[entry.path().string()] = entry.is_regular_file() ? read_file(entry.path()) : "";
    return out;
}

// --- archives, as somebody else would write them

struct Entry {
    std::string name;
    std::string bytes;
    mode_t type = AE_IFREG;
    std::string link{};
    bool hard = false;
};

[[nodiscard]] std::string sha256_hex(std::string_view bytes) {
    return hex_encode(sha256(as_bytes(bytes)));
}

[[nodiscard]] std::vector<Entry> read_archive(const std::string& path) {
    std::vector<Entry> out;
    archive* a = archive_read_new();
    archive_read_support_format_tar(a);
    archive_read_support_filter_gzip(a);
    CHECK_EQ(archive_read_open_filename(a, path.c_str(), 10240), ARCHIVE_OK);
    archive_entry* e = nullptr;
    while (archive_read_next_header(a, &e) == ARCHIVE_OK) {
        std::string bytes(static_cast<std::size_t>(archive_entry_size(e)), '\0');
        CHECK_EQ(archive_read_data(a, bytes.data(), bytes.size()), static_cast<la_ssize_t>(bytes.size()));
        out.push_back({archive_entry_pathname(e), bytes});
    }
    archive_read_free(a);
    return out;
}

void write_archive(const std::string& path, const std::vector<Entry>& entries) {
    archive* a = archive_write_new();
    archive_write_set_format_pax_restricted(a);
    CHECK_EQ(archive_write_open_filename(a, path.c_str()), ARCHIVE_OK);
    for (const Entry& one : entries) {
        archive_entry* e = archive_entry_new();
        archive_entry_set_pathname(e, one.name.c_str());
        archive_entry_set_filetype(e, one.type);
        archive_entry_set_perm(e, 0644);
        archive_entry_set_size(e, static_cast<la_int64_t>(one.bytes.size()));
        if (one.type == AE_IFLNK)
            archive_entry_set_symlink(e, one.link.c_str());
        if (one.hard)
            archive_entry_set_hardlink(e, one.link.c_str());
        CHECK_EQ(archive_write_header(a, e), ARCHIVE_OK);
        if (!one.bytes.empty())
            archive_write_data(a, one.bytes.data(), one.bytes.size());
        archive_entry_free(e);
    }
    archive_write_close(a);
    archive_write_free(a);
}

// With a list that names them all, rightly, as no stranger's mistake would.
[[nodiscard]] std::vector<Entry> with_manifest(std::vector<Entry> members) {
    ctl::backup::Manifest manifest{.program = "0", .host = "h", .members = {}};
    for (const Entry& one : members)
        manifest.members.push_back(
            {.name = one.name, .size = one.bytes.size(), .mode = 0644, .sha256 = sha256_hex(one.bytes)});
    members.insert(members.begin(), {std::string(ctl::backup::k_manifest), to_text(manifest)});
    return members;
}

// --- what comes back

void what_was_backed_up_comes_back_on_a_new_machine() {
    Machine old;
    old.configure("[drop]\nsession_files = 5\n");
    static_cast<void>(old.add(k_ed25519, {"web01"}));
    static_cast<void>(old.add(k_rsa2048, {"web02"}));
    static_cast<void>(ctl::revoke_key(old.context, "web02", "lost"));
    old.make_host_keys("old");
    old.make_memory("what sessions know");
    static_cast<void>(ctl::pause_deliveries(old.context, {.reason = "move", .duration = {}}));
    for (const char* name : {"b.tar", "b.tar.gz"}) {
        CHECK_EQ(old.backup(name, true, true),
                 fmt::format("backed up to {}: store (generation 3), keyring, gate.toml, pause, state of 1 "
                             "key, 1 host key\n",
                             old.dir / name));
        struct stat st {};
        CHECK_EQ(::stat((old.dir / name).c_str(), &st), 0);
        CHECK_EQ(st.st_mode & 07777, mode_t{0600});
        const auto members = read_archive(old.dir / name);
        CHECK_EQ(members.front().name, std::string("MANIFEST"));

        Machine fresh;
        fresh.make_host_keys("fresh");
        const std::string said = fresh.restore(old.dir / name, true);
        CHECK(contains(said, "restored the store"));
        CHECK(contains(said, "reload sshd"));
        CHECK(contains(said, "restored the state of 1 key(s)"));
        CHECK(contains(said, "restored the pause: deliveries are refused"));
        CHECK(contains(said, "published generation 4: 1 key active, 1 revoked; policy new\n"));
        CHECK(fresh.stored() == old.stored());
        CHECK(fresh.find(k_ed25519)->state == keyring::KeyState::active);
        CHECK(fresh.find(k_rsa2048)->state == keyring::KeyState::revoked);
        CHECK_EQ(fresh.policy().drop_session_files, std::uint64_t{5});
        CHECK_EQ(read_file(fresh.context.config), read_file(old.context.config));
        CHECK_EQ(read_file(fresh.memory_path()), std::string("what sessions know"));
        CHECK_EQ(read_file(fresh.dir / "ssh/ssh_host_ed25519_key"), std::string("private old\n"));
        CHECK_EQ(read_file(fresh.dir / "ssh/ssh_host_ed25519_key.pub"), std::string("public old\n"));
        CHECK_EQ(read_file(fresh.dir / "ssh/ssh_host_ed25519_key.before-restore"),
                 std::string("private fresh\n"));
        CHECK_EQ(read_file(fresh.dir / "ssh/sshd_config"), std::string("Port 22\n"));
        CHECK_EQ(::stat((fresh.dir / "ssh/ssh_host_ed25519_key").c_str(), &st), 0);
        CHECK_EQ(st.st_mode & 07777, mode_t{0600});
        CHECK_EQ(::stat((fresh.dir / "ssh/ssh_host_ed25519_key.pub").c_str(), &st), 0);
        CHECK_EQ(st.st_mode & 07777, mode_t{0644});
        CHECK(contains(ctl::pause_status(fresh.context, false), "by tester: move"));
        // No working files are left.
        for (const auto& [path, bytes] : everything(fresh.dir.path()))
            CHECK_MSG(!contains(path, ".restore-new") && !contains(path, "/.restore") &&
                          !contains(path, ".restoring"),
                      path);
    }
}

void what_is_backed_up_is_what_was_asked_for() {
    Machine m;
    m.configure();
    static_cast<void>(m.add(k_ed25519, {"a"}));
    m.make_host_keys("mine");
    m.make_memory("x");
    const auto names = [&](const std::string& file) {
        std::string out;
        for (const Entry& e : read_archive(m.dir / file))
            out += e.name.substr(0, 9) + ' ';
        return out;
    };
    static_cast<void>(m.backup("plain"));
    CHECK_EQ(names("plain"), std::string("MANIFEST store.db keyring gate.toml "));
    static_cast<void>(m.backup("full", true));
    CHECK_EQ(names("full"), std::string("MANIFEST store.db keyring gate.toml state/k-7 "));
    static_cast<void>(m.backup("keys", false, true));
    CHECK_EQ(names("keys"), std::string("MANIFEST store.db keyring gate.toml ssh/ssh_h ssh/ssh_h "));
    // Host keys in the archive are put in place only when asked.
    m.make_host_keys("newer");
    CHECK(contains(m.restore(m.dir / "keys"), "left the host keys of the backup alone"));
    CHECK_EQ(read_file(m.dir / "ssh/ssh_host_ed25519_key"), std::string("private newer\n"));
    refused(ctl::Status::bad_data, "there are no host keys in",
            [&] { static_cast<void>(m.restore(m.dir / "plain", true)); });
}

void a_file_that_is_there_is_not_replaced_without_force() {
    Machine m;
    static_cast<void>(m.add(k_ed25519, {"a"}));
    write_file(m.dir / "b", "precious");
    refused(ctl::Status::cant_create, "--force", [&] { static_cast<void>(m.backup("b")); });
    CHECK_EQ(read_file(m.dir / "b"), std::string("precious"));
    static_cast<void>(ctl::backup_command(
        m.context, {.file = m.dir / "b", .full = false, .host_keys = false, .force = true}));
    CHECK_EQ(read_archive(m.dir / "b").size(), std::size_t{3});
    CHECK_EQ(::mkdir((m.dir / "d").c_str(), 0755), 0);
    refused(ctl::Status::cant_create, "is there already", [&] {
        static_cast<void>(ctl::backup_command(
            m.context, {.file = m.dir / "d", .full = false, .host_keys = false, .force = true}));
    });
}

void what_cannot_be_backed_up_leaves_no_file() {
    Machine m;
    refused(ctl::Status::no_input, "there is no store", [&] { static_cast<void>(m.backup("b")); });
    static_cast<void>(m.add(k_ed25519, {"a"}));
    write_file(m.context.config, "[drop]\nsession_files = 0\n");
    refused(ctl::Status::bad_data, "gate.toml:2", [&] { static_cast<void>(m.backup("b")); });
    write_file(m.context.config, "");
    refused(ctl::Status::no_input, "no host keys", [&] { static_cast<void>(m.backup("b", false, true)); });
    write_file(m.context.store, "SQLite format 3 it is not", 0600);
    refused(ctl::Status::unavailable, "damaged", [&] { static_cast<void>(m.backup("b")); });
    for (const auto& [path, bytes] : everything(m.dir.path()))
        CHECK_MSG(!contains(path, "/b") && !contains(path, ".backup"), path);
}

void a_damaged_keyring_is_left_out_and_said() {
    Machine m;
    static_cast<void>(m.add(k_ed25519, {"a"}));
    write_file(m.context.keyring, "nonsense");
    static_cast<void>(m.backup("b"));
    CHECK(m.remarked("is not in the backup"));
    for (const Entry& e : read_archive(m.dir / "b"))
        CHECK(e.name != "keyring");
    CHECK(contains(m.restore(m.dir / "b"), "published generation 2"));
}

// The account may put anything into its own directory.
void what_the_account_plants_is_not_followed() {
    Machine m;
    m.configure();
    static_cast<void>(m.add(k_ed25519, {"a"}));
    write_file(m.dir / "secret", "root's secret");
    CHECK_EQ(::mkdir((m.dir / "state").c_str(), 0700), 0);
    CHECK_EQ(::symlink((m.dir / "secret").c_str(), m.memory_path().c_str()), 0);
    static_cast<void>(m.backup("b", true));
    CHECK(m.remarked("state of 1 key(s) is not in the backup"));
    CHECK(!contains(read_file(m.dir / "b"), "root's secret"));
    // The control, and the way back: a link in the place of a file is replaced, what it names is not written.
    CHECK_EQ(::unlink(m.memory_path().c_str()), 0);
    m.make_memory("known");
    static_cast<void>(m.backup("c", true));
    CHECK(contains(read_file(m.dir / "c"), "known"));
    CHECK_EQ(::unlink(m.memory_path().c_str()), 0);
    CHECK_EQ(::symlink((m.dir / "secret").c_str(), m.memory_path().c_str()), 0);
    CHECK_EQ(::symlink((m.dir / "secret").c_str(), (m.memory_path() + ".restore-new").c_str()), 0);
    static_cast<void>(m.restore(m.dir / "c"));
    CHECK_EQ(read_file(m.memory_path()), std::string("known"));
    CHECK_EQ(read_file(m.dir / "secret"), std::string("root's secret"));
}

void newer_state_is_not_replaced() {
    Machine m;
    m.configure();
    static_cast<void>(m.add(k_ed25519, {"a"}));
    m.make_memory("old");
    static_cast<void>(m.backup("b", true));
    m.make_memory("new");
    CHECK(contains(m.restore(m.dir / "b"), "restored the state of 0 key(s)"));
    CHECK_EQ(read_file(m.memory_path()), std::string("new"));
    const timespec long_ago[2] = {{1'000'000, 0}, {1'000'000, 0}};
    CHECK_EQ(::utimensat(AT_FDCWD, m.memory_path().c_str(), long_ago, 0), 0);
    CHECK(contains(m.restore(m.dir / "b"), "restored the state of 1 key(s)"));
    CHECK_EQ(read_file(m.memory_path()), std::string("old"));
}

void a_restored_pause_is_seen_by_a_session_that_runs() {
    Machine m;
    m.configure();
    static_cast<void>(m.add(k_ed25519, {"a"}));
    static_cast<void>(ctl::pause_deliveries(m.context, {.reason = "x", .duration = {}}));
    static_cast<void>(m.backup("b", true));
    static_cast<void>(ctl::resume_deliveries(m.context));
    const Fd session{::open((m.dir / "pause").c_str(), O_RDONLY | O_CLOEXEC)};
    CHECK(!contains(m.restore(m.dir / "b"), "pause: deliveries")); // resuming it was later
    CHECK(!spool::read_pause(session.get())->holds_at(2'000'000'000));
    const timespec long_ago[2] = {{1'000'000, 0}, {1'000'000, 0}};
    CHECK_EQ(::utimensat(AT_FDCWD, (m.dir / "pause").c_str(), long_ago, 0), 0);
    CHECK(contains(m.restore(m.dir / "b"), "restored the pause"));
    CHECK(spool::read_pause(session.get())->holds_at(2'000'000'000));
}

// --- deny wins

// It may have been used since, and whoever used it may use it again.
void no_code_and_no_window_of_a_backup_is_good() {
    Machine m;
    static_cast<void>(m.add(k_ed25519, {"a"}));
    static_cast<void>(ctl::make_codes(m.context, {.agents = {"a"}}));
    {
        ctl::Store store(m.context.store, m.context.owner, 0);
        ctl::Enrolment open = store.enrolment();
        open.window_until = INT64_MAX;
        store.set_enrolment(open);
    }
    static_cast<void>(m.backup("b"));
    static_cast<void>(m.restore(m.dir / "b"));
    ctl::Store store(m.context.store, m.context.owner, 0);
    CHECK_EQ(store.codes().size(), std::size_t{1});
    CHECK(store.codes()[0].state == ctl::StoredCode::State::cancelled);
    CHECK_EQ(store.enrolment().window_until, 0);
}

void revoked_after_the_backup_stays_revoked() {
    Machine m;
    static_cast<void>(m.add(k_ed25519, {"a"}));
    static_cast<void>(m.add(k_rsa2048, {"b"}));
    static_cast<void>(m.backup("b"));
    static_cast<void>(m.add(k_ecdsa256, {"c"}));
    static_cast<void>(ctl::revoke_key(m.context, "a", "stolen"));
    static_cast<void>(ctl::revoke_key(m.context, "c", "tried out"));
    CHECK_EQ(m.header().generation, std::uint64_t{5});
    CHECK(contains(m.restore(m.dir / "b"), "published generation 6: 1 key active, 2 revoked"));
    CHECK(m.find(k_ed25519)->state == keyring::KeyState::revoked);
    CHECK(m.find(k_ed25519)->revoke_reason == "stolen");
    CHECK(m.find(k_ecdsa256)->state == keyring::KeyState::revoked); // the store of the backup never had it
    CHECK(m.find(k_rsa2048)->state == keyring::KeyState::active);   // the control
    CHECK(contains(ctl::show_key(m.context, "a", false), "adopt by tester: revocation found in the store"));
    refused(ctl::Status::refused, "cannot be added again",
            [&] { static_cast<void>(m.add(k_ecdsa256, {"c"})); });
}

// The same from each of the places that know, alone.
void each_source_of_revocations_counts() {
    for (const char* lost : {"store", "keyring"}) {
        Machine m;
        static_cast<void>(m.add(k_ed25519, {"a"}));
        static_cast<void>(m.backup("b"));
        static_cast<void>(ctl::revoke_key(m.context, "a", "stolen"));
        CHECK_EQ(::unlink((lost == std::string_view("store") ? m.context.store : m.context.keyring).c_str()),
                 0);
        CHECK(contains(m.restore(m.dir / "b"), "published generation 3: 0 keys active, 1 revoked"));
        CHECK(m.find(k_ed25519)->state == keyring::KeyState::revoked);
    }
    // A publish that was interrupted before the backup: only the keyring in the archive knows.
    Machine m;
    static_cast<void>(m.add(k_ed25519, {"a"}));
    const std::string before = read_file(m.context.store);
    static_cast<void>(ctl::revoke_key(m.context, "a", "stolen"));
    write_file(m.context.store, before, 0600);
    static_cast<void>(m.backup("b"));
    Machine fresh;
    CHECK(contains(fresh.restore(m.dir / "b"), "published generation 3: 0 keys active, 1 revoked"));
}

void a_key_that_is_active_again_is_said() {
    Machine m;
    static_cast<void>(m.add(k_ed25519, {"a"}));
    static_cast<void>(m.backup("b"));
    static_cast<void>(m.add(k_rsa2048, {"later"}));
    static_cast<void>(m.restore(m.dir / "b"));
    CHECK(m.remarked("1 key(s) that were accepted before the restore are not, for "
                     "instance later-"));
}

void generations_never_go_back() {
    Machine m;
    static_cast<void>(m.add(k_ed25519, {"a"}));
    static_cast<void>(m.backup("b"));
    for (int i = 0; i < 3; ++i)
        static_cast<void>(ctl::publish_command(m.context));
    CHECK_EQ(m.header().generation, std::uint64_t{4});
    static_cast<void>(m.restore(m.dir / "b"));
    CHECK_EQ(m.header().generation, std::uint64_t{5});
    static_cast<void>(m.restore(m.dir / "b"));
    CHECK_EQ(m.header().generation, std::uint64_t{6});
    CHECK(contains(ctl::publish_command(m.context), "generation 7"));
}

// --- what was there

void the_old_store_is_kept() {
    Machine m;
    m.configure();
    static_cast<void>(m.add(k_ed25519, {"a"}));
    static_cast<void>(m.backup("b"));
    static_cast<void>(m.add(k_rsa2048, {"later"}));
    const std::string before = read_file(m.context.store);
    m.configure("# later\n");
    CHECK(contains(m.restore(m.dir / "b"), "store.db; the old one is "));
    CHECK(read_file(m.context.store + ".before-restore") == before);
    CHECK(contains(read_file(m.context.config + ".before-restore"), "# later"));
    CHECK(!contains(read_file(m.context.config), "# later"));
    // A second restore keeps what the first one has put there.
    static_cast<void>(m.restore(m.dir / "b"));
    CHECK(read_file(m.context.store + ".before-restore") != before);
    CHECK(!contains(read_file(m.context.config + ".before-restore"), "# later"));
}

// As it is when the first one was killed: what it has kept is not replaced by its own work.
void a_restore_that_was_interrupted_is_finished() {
    Machine m;
    static_cast<void>(m.add(k_ed25519, {"a"}));
    static_cast<void>(m.backup("b"));
    static_cast<void>(m.add(k_rsa2048, {"later"}));
    const std::string before = read_file(m.context.store);
    static_cast<void>(m.restore(m.dir / "b"));
    write_file(m.context.store + ".restoring", "", 0600);
    CHECK_EQ(::mkdir((m.dir / "store/.restore").c_str(), 0700), 0);
    write_file(m.dir / "store/.restore/m0", "left behind", 0600);
    static_cast<void>(m.restore(m.dir / "b"));
    CHECK(read_file(m.context.store + ".before-restore") == before);
    CHECK(::access((m.context.store + ".restoring").c_str(), F_OK) != 0);
    CHECK(::access((m.dir / "store/.restore").c_str(), F_OK) != 0);
}

void a_damaged_store_is_replaced_and_the_words_for_it_are_true() {
    Machine m;
    static_cast<void>(m.add(k_ed25519, {"a"}));
    static_cast<void>(m.add(k_rsa2048, {"b"}));
    static_cast<void>(m.backup("b"));
    static_cast<void>(ctl::revoke_key(m.context, "a", "stolen"));
    write_file(m.context.store, "this is not a store, but it is long enough to look at", 0600);
    refused(ctl::Status::unavailable, "pandora-gate restore FILE",
            [&] { static_cast<void>(ctl::publish_command(m.context)); });
    static_cast<void>(m.restore(m.dir / "b"));
    CHECK(m.remarked("the store of before could not be read: "));
    CHECK(m.find(k_ed25519)->state == keyring::KeyState::revoked);
    CHECK(m.find(k_rsa2048)->state == keyring::KeyState::active);
    CHECK(contains(ctl::publish_command(m.context), "1 key active, 1 revoked"));
    CHECK(contains(read_file(m.context.store + ".before-restore"), "this is not a store"));
}

// Of a store that is gone: the engine would play it into the one that is put in its place.
void a_journal_that_was_left_is_moved_away() {
    Machine m;
    static_cast<void>(m.add(k_ed25519, {"a"}));
    static_cast<void>(m.backup("b"));
    CHECK_EQ(::unlink(m.context.store.c_str()), 0);
    write_file(m.context.store + "-journal", "of the old one", 0600);
    static_cast<void>(m.restore(m.dir / "b"));
    CHECK_EQ(read_file(m.context.store + ".before-restore-journal"), std::string("of the old one"));
    CHECK(::access((m.context.store + "-journal").c_str(), F_OK) != 0);
    CHECK_EQ(m.stored().size(), std::size_t{1});
}

void a_locked_store_is_left_alone() {
    Machine m;
    static_cast<void>(m.add(k_ed25519, {"a"}));
    static_cast<void>(m.backup("b"));
    static_cast<void>(m.add(k_rsa2048, {"b"}));
    const auto before = everything(m.dir.path());
    {
        ctl::Store store(m.context.store, m.context.owner, 0);
        const ctl::Store::Transaction writer(store, ctl::Store::Transaction::Kind::write);
        refused(ctl::Status::unavailable, "locked by another program: try again",
                [&] { static_cast<void>(m.restore(m.dir / "b")); });
        CHECK(everything(m.dir.path()) == before);
    }
    static_cast<void>(m.restore(m.dir / "b")); // the control
    CHECK(!m.find(k_rsa2048));
}

void a_writer_that_waited_does_not_lose_its_change_silently() {
    Machine m;
    static_cast<void>(m.add(k_ed25519, {"a"}));
    static_cast<void>(m.backup("b"));
    ctl::Store waiting(m.context.store, m.context.owner, 0);
    static_cast<void>(m.restore(m.dir / "b"));
    refused(ctl::Status::unavailable, "was replaced at this moment", [&] {
        const ctl::Store::Transaction transaction(waiting, ctl::Store::Transaction::Kind::write);
    });
}

void a_dry_run_changes_nothing() {
    Machine m;
    static_cast<void>(m.add(k_ed25519, {"a"}));
    static_cast<void>(m.backup("b"));
    static_cast<void>(ctl::revoke_key(m.context, "a", "stolen"));
    const auto before = everything(m.dir.path());
    m.context.dry_run = true;
    CHECK(contains(m.restore(m.dir / "b"), "it can be restored; nothing was changed\n"));
    CHECK(everything(m.dir.path()) == before);
    Machine fresh;
    fresh.context.dry_run = true;
    const auto empty = everything(fresh.dir.path());
    static_cast<void>(fresh.restore(m.dir / "b"));
    CHECK(everything(fresh.dir.path()) == empty);
}

// --- archives that are not what they should be

// Refused, and not a byte has changed anywhere.
void check_refused(Machine& m, const std::string& file, std::string_view words) {
    const auto before = everything(m.dir.path());
    refused(ctl::Status::bad_data, words, [&] { static_cast<void>(m.restore(file, true)); });
    CHECK(everything(m.dir.path()) == before);
}

[[nodiscard]] std::vector<Entry> good_members(Machine& m) {
    m.configure();
    static_cast<void>(m.add(k_ed25519, {"a"}));
    m.make_host_keys("mine");
    m.make_memory("known");
    static_cast<void>(m.backup("good", true, true));
    auto members = read_archive(m.dir / "good");
    members.erase(members.begin());
    return members;
}

void hostile_archives_change_nothing() {
    Machine m;
    const auto good = good_members(m);
    const std::string file = m.dir / "bad";
    write_archive(file, with_manifest(good));
    static_cast<void>(m.restore(file, true)); // the control: written like this it is taken
    for (const char* name :
         {"../x", "/etc/passwd", "state/../../x", "state/k-00", "ssh/../x", "ssh/sshd_config",
          "ssh/ssh_host_a/b_key", "ssh/ssh_host__key", "store.db/x", "x", "", "."}) {
        auto members = good;
        members.push_back({name, "x"});
        write_archive(file, with_manifest(members));
        check_refused(m, file, "belongs into no backup");
        auto unlisted = with_manifest(good);
        unlisted.push_back({name, "x"});
        write_archive(file, unlisted);
        check_refused(m, file, "in its list");
    }
    for (const mode_t type : {AE_IFLNK, AE_IFCHR, AE_IFIFO, AE_IFDIR, AE_IFBLK}) {
        auto entries = with_manifest(good);
        entries.back().type = type;
        entries.back().bytes.clear();
        entries.back().link = "/etc/shadow";
        write_archive(file, entries);
        check_refused(m, file, "is not a plain file");
    }
    auto hard = with_manifest(good);
    hard.back().hard = true;
    hard.back().link = "store.db";
    hard.back().bytes.clear();
    write_archive(file, hard);
    check_refused(m, file, "is not a plain file");
}

void archives_that_do_not_hold_to_their_list() {
    Machine m;
    const auto good = good_members(m);
    const std::string file = m.dir / "bad";
    auto entries = with_manifest(good);
    entries.push_back(entries[1]);
    write_archive(file, entries);
    check_refused(m, file, "or twice");
    auto twice = good;
    twice.push_back(twice.front());
    write_archive(file, with_manifest(twice));
    check_refused(m, file, "twice");
    entries = with_manifest(good);
    entries[1].bytes[3000] = static_cast<char>(entries[1].bytes[3000] ^ 1);
    write_archive(file, entries);
    check_refused(m, file, "the member store.db is not what was backed up: its SHA-256 differs");
    entries = with_manifest(good);
    entries[3].bytes += '#';
    write_archive(file, entries);
    check_refused(m, file, "its size differs");
    entries = with_manifest(good);
    entries.pop_back();
    write_archive(file, entries);
    check_refused(m, file, "is missing");
    entries = with_manifest(good);
    std::swap(entries[0], entries[1]);
    write_archive(file, entries);
    check_refused(m, file, "does not begin with MANIFEST");
    auto without_store = good;
    without_store.erase(without_store.begin());
    write_archive(file, with_manifest(without_store));
    check_refused(m, file, "has no store");
    for (const auto& [from, to] :
         std::vector<std::pair<std::string, std::string>>{{"\"format\":1", "\"format\":2"},
                                                          {"\"size\":", "\"size\":-"},
                                                          {"\"size\":", "\"size\":99999999999999"},
                                                          {"\"members\":[", "\"members\":[{},"},
                                                          {"\"sha256\":\"", "\"sha256\":\"x"},
                                                          {"\"mtime_ns\":0", "\"mtime_ns\":-1"},
                                                          {"{", "["}}) {
        entries = with_manifest(good);
        std::string& text = entries[0].bytes;
        text.replace(text.find(from), from.size(), to);
        write_archive(file, entries);
        check_refused(m, file,
                      from == "\"format\":1" ? "has format 2, this program knows format 1"
                                             : "its list of members");
    }
}

void members_that_are_not_good_change_nothing() {
    Machine m;
    const auto good = good_members(m);
    const std::string file = m.dir / "bad";
    const auto with = [&](std::size_t i, const std::string& bytes) {
        auto members = good;
        members[i].bytes = bytes;
        write_archive(file, with_manifest(members));
    };
    CHECK_EQ(good[0].name, std::string("store.db"));
    with(0, "no database");
    check_refused(m, file, "cannot be restored, nothing was changed: the store in it is damaged");
    with(0, good[0].bytes.substr(0, good[0].bytes.size() - 4096));
    check_refused(m, file, "cannot be restored, nothing was changed");
    CHECK_EQ(good[1].name, std::string("keyring"));
    with(1, good[1].bytes.substr(0, good[1].bytes.size() - 1));
    check_refused(m, file, "the keyring in it");
    CHECK_EQ(good[2].name, std::string("gate.toml"));
    with(2, "[drop]\nsession_files = 0\n");
    check_refused(m, file, "gate.toml:2");
    // A key in the store whose row was changed by hand.
    const std::string store = m.dir / "edited";
    write_file(store, good[0].bytes, 0600);
    sqlite3* db = nullptr;
    CHECK_EQ(sqlite3_open(store.c_str(), &db), SQLITE_OK);
    CHECK_EQ(sqlite3_exec(db, "UPDATE pubkey SET blob = 'AAAA'", nullptr, nullptr, nullptr), SQLITE_OK);
    with(0, read_file(store));
    check_refused(m, file, "is damaged");
    CHECK_EQ(sqlite3_exec(db, "UPDATE gate_store SET schema_version = 99", nullptr, nullptr, nullptr),
             SQLITE_OK);
    with(0, read_file(store));
    check_refused(m, file, "has version 99");
    sqlite3_close(db);
}

void a_header_that_promises_too_much() {
    Machine m;
    static_cast<void>(good_members(m));
    std::string bytes = read_file(m.dir / "good");
    const std::string file = m.dir / "bad";
    // The size field of MANIFEST's header, 8 GB, with the right checksum.
    std::string huge = bytes;
    huge.replace(124, 12, std::string("77777777777\0", 12));
    huge.replace(148, 8, "        ");
    unsigned sum = 0;
    for (std::size_t i = 0; i < 512; ++i)
        sum += static_cast<unsigned char>(huge[i]);
    huge.replace(148, 8, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
    write_file(file, huge);
    check_refused(m, file, "its list of members is larger than it can be");
    write_file(file, "");
    check_refused(m, file, "is not a backup of pandora-gate");
    write_file(file, "just text\n");
    check_refused(m, file, "is not a backup of pandora-gate");
    write_file(file, std::string(20'480, '\0'));
    check_refused(m, file, "is not a backup of pandora-gate");
    refused(ctl::Status::no_input, "file is missing", [&] { static_cast<void>(m.restore(m.dir / "none")); });
    refused(ctl::Status::io, "not a regular file", [&] { static_cast<void>(m.restore(m.dir / "ssh")); });
}

// Everything right, or refused and nothing changed.
void damaged_or_cut_anywhere() {
    auto random = seeded();
    std::size_t refusals = 0;
    std::size_t taken = 0;
    for (const char* name : {"b.tar", "b.tar.gz"}) {
        Machine m;
        static_cast<void>(good_members(m));
        static_cast<void>(m.backup(name, true, true));
        const std::string bytes = read_file(m.dir / name);
        m.context.dry_run = true; // all of the checks; what follows them is tested above
        for (int i = 0; i < 130; ++i) {
            std::string other = bytes;
            if (i < 100)
                other[random() % other.size()] ^= static_cast<char>(1 << random() % 8);
            else
                other.resize(random() % other.size());
            write_file(m.dir / "bad", other);
            const auto before = everything(m.dir.path());
            try {
                CHECK(contains(m.restore(m.dir / "bad", true), "it can be restored"));
                ++taken;
            } catch (const ctl::Problem& problem) {
                CHECK_EQ(static_cast<int>(problem.status()), static_cast<int>(ctl::Status::bad_data));
                ++refusals;
            }
            CHECK(everything(m.dir.path()) == before);
        }
    }
    print_message("%zu of 260 damaged archives refused, %zu right all the same (padding)\n", refusals, taken);
    CHECK(refusals > 150);
}

// What is taken in spite of a flip is what was backed up.
void what_is_taken_is_right() {
    auto random = seeded();
    Machine m;
    static_cast<void>(good_members(m));
    const std::string bytes = read_file(m.dir / "good");
    for (int i = 0; i < 60; ++i) {
        std::string other = bytes;
        other[random() % other.size()] ^= static_cast<char>(1 << random() % 8);
        write_file(m.dir / "bad", other);
        Machine fresh;
        try {
            static_cast<void>(fresh.restore(m.dir / "bad", true));
        } catch (const ctl::Problem&) {
            CHECK(::access(fresh.context.store.c_str(), F_OK) != 0);
            CHECK(::access(fresh.context.keyring.c_str(), F_OK) != 0);
            continue;
        }
        CHECK(fresh.stored() == m.stored());
        CHECK_EQ(read_file(fresh.memory_path()), std::string("known"));
        CHECK_EQ(read_file(fresh.dir / "ssh/ssh_host_ed25519_key"), std::string("private mine\n"));
    }
}

// A child is killed at a random time, again and again: the store that is in place is one of the two, whole.
void killed_at_any_time() {
    auto random = seeded();
    Machine m;
    m.configure();
    static_cast<void>(m.add(k_ed25519, {"a"}));
    static_cast<void>(m.backup("b", true));
    const std::int64_t began = wall_clock_us();
    static_cast<void>(m.restore(m.dir / "b"));
    auto window =
        static_cast<std::uint64_t>(std::clamp<std::int64_t>(wall_clock_us() - began, 1000, 500'000));
    int old_ones = 0;
    int new_ones = 0;
    int finished = 0;
    for (int i = 0; i < 60; ++i) {
        static_cast<void>(m.add(k_rsa2048, {"later"})); // harmless where it is there still
        CHECK_EQ(m.stored().size(), std::size_t{2});
        const pid_t child = ::fork();
        if (child == 0) {
            try {
                static_cast<void>(m.restore(m.dir / "b"));
            } catch (...) {
                ::_exit(1);
            }
            ::_exit(0);
        }
        ::usleep(static_cast<useconds_t>(random() % window));
        ::kill(child, SIGKILL);
        int status = 0;
        CHECK_EQ(::waitpid(child, &status, 0), child);
        CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
        finished += WIFSIGNALED(status) ? 0 : 1;
        const std::size_t keys = m.stored().size();
        CHECK(keys == 1 || keys == 2);
        (keys == 2 ? old_ones : new_ones) += 1;
        // Around the moment that counts, however fast the machine is at the time.
        window = std::max<std::uint64_t>(1000, keys == 2 ? window + window / 8 : window - window / 8);
        CHECK(m.find(k_ed25519).has_value()); // logins have gone on
        const auto again = m.restore(m.dir / "b");
        CHECK(contains(again, "published generation"));
        CHECK_EQ(m.stored().size(), std::size_t{1});
        CHECK(!m.find(k_rsa2048));
    }
    print_message("60 kills: %d times the old store, %d times the new one (%d had ended)\n", old_ones,
                  new_ones, finished);
    CHECK(old_ones > 0 && new_ones > 0);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(what_was_backed_up_comes_back_on_a_new_machine),
        GATE_TEST(what_is_backed_up_is_what_was_asked_for),
        GATE_TEST(a_file_that_is_there_is_not_replaced_without_force),
        GATE_TEST(what_cannot_be_backed_up_leaves_no_file),
        GATE_TEST(a_damaged_keyring_is_left_out_and_said),
        GATE_TEST(what_the_account_plants_is_not_followed),
        GATE_TEST(newer_state_is_not_replaced),
        GATE_TEST(a_restored_pause_is_seen_by_a_session_that_runs),
        GATE_TEST(no_code_and_no_window_of_a_backup_is_good),
        GATE_TEST(revoked_after_the_backup_stays_revoked),
        GATE_TEST(each_source_of_revocations_counts),
        GATE_TEST(a_key_that_is_active_again_is_said),
        GATE_TEST(generations_never_go_back),
        GATE_TEST(the_old_store_is_kept),
        GATE_TEST(a_restore_that_was_interrupted_is_finished),
        GATE_TEST(a_damaged_store_is_replaced_and_the_words_for_it_are_true),
        GATE_TEST(a_journal_that_was_left_is_moved_away),
        GATE_TEST(a_locked_store_is_left_alone),
        GATE_TEST(a_writer_that_waited_does_not_lose_its_change_silently),
        GATE_TEST(a_dry_run_changes_nothing),
        GATE_TEST(hostile_archives_change_nothing),
        GATE_TEST(archives_that_do_not_hold_to_their_list),
        GATE_TEST(members_that_are_not_good_change_nothing),
        GATE_TEST(a_header_that_promises_too_much),
        GATE_TEST(damaged_or_cut_anywhere),
        GATE_TEST(what_is_taken_is_right),
        GATE_TEST(killed_at_any_time),
    };
    return cmocka_run_group_tests_name("ctl_backup", tests, nullptr, nullptr);
}
