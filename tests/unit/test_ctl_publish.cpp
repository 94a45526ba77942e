// Publishing beyond the plain case: only what changed, the previous keyring, keyrings from and for other
// machines, a dry run, and what is said of all that.
#include "tests/unit/support.h"
#include "tests/unit/test_ctl_keys.h"
#include "tests/unit/test_ctl_place.h"

#include "gatectl/publish/policy_text.h"
#include "gatectl/publish/publish.h"
#include "gatectl/publish/settings.h"

#include <sqlite3.h>

using namespace gate;
using namespace gate::test;

namespace {

void execute(const Place& p, const std::string& sql) {
    sqlite3* db = nullptr;
    CHECK_EQ(sqlite3_open(p.context.store.c_str(), &db), SQLITE_OK);
    char* message = nullptr;
    const int status = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &message);
    CHECK_MSG(status == SQLITE_OK, message != nullptr ? message : sql);
    sqlite3_close(db);
}

// Damage to a row that a change does not touch: a whole build would find it, a copy of the last keyring not.
constexpr const char* k_damage = "UPDATE pubkey SET blob = 'AAAA' WHERE id LIKE 'a-%'";

void a_change_of_one_key_does_not_read_the_others() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    static_cast<void>(p.add(k_rsa2048, {"b"}));
    execute(p, k_damage);
    CHECK(contains(p.add(k_ecdsa256, {"c"}), "published generation 3: 3 keys active"));
    CHECK(contains(ctl::revoke_key(p.context, "b", "lost"), "generation 4: 2 keys active, 1 revoked"));
    CHECK(p.find(k_ed25519)->state == keyring::KeyState::active);
    CHECK(p.find(k_rsa2048)->state == keyring::KeyState::revoked);
    CHECK(p.find(k_ecdsa256)->agents.front().name == "c");
    refused(ctl::Status::bad_data, "the key a-711e0d in the store is damaged",
            [&] { static_cast<void>(ctl::publish_command(p.context)); }); // the control: it reads all
}

// The copy is made only of the keyring that the store published last.
void a_keyring_that_is_not_the_stores_is_built_anew() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    const std::string first = read_file(p.context.keyring);
    Place other;
    static_cast<void>(other.add(k_ecdsa384, {"x"}));
    write_file(p.context.keyring, read_file(other.context.keyring)); // of the same generation
    CHECK(contains(p.add(k_rsa2048, {"b"}), "published generation 2: 2 keys active"));
    CHECK(p.find(k_ed25519).has_value());
    CHECK(!p.find(k_ecdsa384).has_value());
    write_file(p.context.keyring, first); // an older one of this store
    CHECK(contains(p.add(k_ecdsa256, {"c"}), "published generation 3: 3 keys active"));
    CHECK(p.find(k_rsa2048).has_value());
}

void a_damaged_record_of_another_key_is_not_copied() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    std::string bytes = read_file(p.context.keyring);
    const auto at = bytes.find("a-711e0d");
    CHECK(at != std::string::npos);
    bytes[at] = 'z';
    write_file(p.context.keyring, bytes);
    CHECK(contains(p.add(k_rsa2048, {"b"}), "published generation 2: 2 keys active"));
    CHECK(p.find(k_ed25519)->id == "a-711e0d");
}

void the_list_of_revoked_keys_follows() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    static_cast<void>(p.add(k_rsa2048, {"b"}));
    const std::string list = p.dir / "revoked_keys";
    CHECK_EQ(read_file(list), std::string());
    static_cast<void>(ctl::revoke_key(p.context, "a", "lost"));
    const std::string_view line = k_ed25519.line;
    CHECK_EQ(read_file(list), std::string(line.substr(0, line.rfind(' '))) + '\n');
    static_cast<void>(p.add(k_ecdsa256, {"c"})); // a copy of the last keyring
    CHECK_EQ(read_file(list), std::string(line.substr(0, line.rfind(' '))) + '\n');
    static_cast<void>(ctl::publish_command(p.context)); // a whole build
    CHECK_EQ(read_file(list), std::string(line.substr(0, line.rfind(' '))) + '\n');
    struct stat st {};
    CHECK_EQ(::stat(list.c_str(), &st), 0);
    CHECK_EQ(st.st_mode & 07777, mode_t{0644});
}

// Deny comes first: where the list cannot be written, the keyring stays.
void no_keyring_without_the_list_of_revoked_keys() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    CHECK_EQ(::mkdir((p.dir / "revoked_keys.new").c_str(), 0700), 0);
    refused(ctl::Status::io, "nothing was changed",
            [&] { static_cast<void>(ctl::revoke_key(p.context, "a", "lost")); });
    CHECK_EQ(p.header().generation, std::uint64_t{1});
    CHECK(!p.stored()[0].revoked());
}

void publish_says_which_keys_changed() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    static_cast<void>(p.add(k_rsa2048, {"b"}));
    CHECK(contains(ctl::publish_command(p.context), "policy unchanged; keys unchanged"));
    Place other;
    static_cast<void>(other.add(k_ecdsa384, {"x"}));
    static_cast<void>(other.add(k_ed25519, {"another"}));
    write_file(p.context.keyring, read_file(other.context.keyring)); // as if somebody had put it there
    CHECK(contains(ctl::publish_command(p.context), "keys: 1 added, 1 changed, 1 removed"));
    p.context.json = true;
    CHECK(contains(ctl::publish_command(p.context), R"("keys": {
    "added": 0,
    "changed": 0,
    "removed": 0
  })"));
}

void a_dry_run_leaves_no_trace() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    const std::string keyring = read_file(p.context.keyring);
    const auto keys = p.stored();
    write_file(p.context.config, "[drop]\nsession_files = 5\n");
    p.context.dry_run = true;
    CHECK_EQ(ctl::publish_command(p.context),
             std::string("dry run: would publish generation 2: 1 active, 0 revoked; policy changed; keys "
                         "unchanged\n  drop.session_files: 10000 -> 5\n"));
    CHECK(contains(p.add(k_rsa2048, {"b"}), "dry run: nothing was changed"));
    CHECK(contains(ctl::revoke_key(p.context, "a", "x"), "dry run: nothing was changed"));
    CHECK_EQ(read_file(p.context.keyring), keyring);
    CHECK(p.stored() == keys);
    CHECK(::access((p.context.keyring + ".new").c_str(), F_OK) != 0);
    p.context.dry_run = false; // the control
    CHECK(contains(p.add(k_rsa2048, {"b"}), "published generation 2"));
}

// Beside the plain publish.
void a_dry_run_of_the_others_leaves_no_trace() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    static_cast<void>(p.add(k_rsa2048, {"b"}));
    const std::string keyring = read_file(p.context.keyring);
    const std::string file = p.dir / "elsewhere";
    const std::string older = p.context.keyring + ".previous";
    p.context.dry_run = true;
    CHECK_EQ(ctl::roll_back(p.context),
             std::string("dry run: would put the keys and the policy of generation 1 in place again, as "
                         "generation 3: 1 key active, 0 revoked, 0 disabled\n"));
    CHECK_EQ(
        ctl::publish_to(p.context, file),
        fmt::format("dry run: would write generation 3 to {}: 2 keys active, 0 revoked, 0 disabled\n", file));
    CHECK(::access(file.c_str(), F_OK) != 0 && ::access((file + ".new").c_str(), F_OK) != 0);
    refused(ctl::Status::refused, "not newer",
            [&] { static_cast<void>(ctl::install_keyring(p.context, older, false)); });
    CHECK(contains(ctl::install_keyring(p.context, older, true), "dry run: would install it; "));
    CHECK_EQ(read_file(p.context.keyring), keyring);
    CHECK(::access((p.context.keyring + ".new").c_str(), F_OK) != 0);
    p.context.dry_run = false; // the control; the number 3 was not used up
    CHECK(contains(ctl::publish_to(p.context, file), "wrote generation 3 to "));
    p.context.dry_run = true;
    CHECK(contains(ctl::install_keyring(p.context, file, false), "dry run: would install it; "));
}

void going_back() {
    Place p;
    refused(ctl::Status::refused, "no previous keyring",
            [&] { static_cast<void>(ctl::roll_back(p.context)); });
    static_cast<void>(p.add(k_ed25519, {"a"}));
    static_cast<void>(p.add(k_rsa2048, {"b"}));
    write_file(p.context.config, "[drop]\nsession_files = 5\n");
    static_cast<void>(ctl::publish_command(p.context));           // 3
    static_cast<void>(ctl::revoke_key(p.context, "b", "stolen")); // 4
    static_cast<void>(p.add(k_ecdsa256, {"c"}));                  // 5; the previous one has no c
    CHECK(contains(ctl::roll_back(p.context), "published generation 6: 1 key active, 1 revoked"));
    CHECK(!p.find(k_ecdsa256).has_value());
    CHECK(p.find(k_rsa2048)->state == keyring::KeyState::revoked);
    // What the store has is published by the next change, the policy that logins read stays.
    CHECK(contains(ctl::revoke_key(p.context, "a", "x"), "published generation 7: 1 key active, 2 revoked"));
    CHECK(p.find(k_ecdsa256)->state == keyring::KeyState::active);
}

void going_back_does_not_bring_a_revoked_key_back() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    static_cast<void>(ctl::revoke_key(p.context, "a", "stolen")); // active in the previous one
    static_cast<void>(ctl::roll_back(p.context));
    CHECK(p.find(k_ed25519)->state == keyring::KeyState::revoked);
    CHECK_EQ(p.header().generation, std::uint64_t{3});
}

void going_back_works_without_the_store() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    static_cast<void>(p.add(k_rsa2048, {"b"}));
    write_file(p.context.store, "this is no database, but it is longer than nothing", 0600);
    CHECK(contains(ctl::roll_back(p.context), "generation 3: 1 key active"));
    CHECK(contains(p.context.remarks.back(), "going on without the store"));
    CHECK(!p.find(k_rsa2048).has_value());
}

void a_keyring_for_another_machine() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    const std::string file = p.dir / "for-standby";
    CHECK(contains(ctl::publish_to(p.context, file), "wrote generation 2 to "));
    CHECK_EQ(p.header().generation, std::uint64_t{1}); // nothing changed here
    CHECK(contains(ctl::check_keyring(p.context, file), "is whole: generation 2 of "));
    Place standby;
    CHECK(
        contains(ctl::install_keyring(standby.context, file, false), "installed generation 2: 1 key active"));
    CHECK(standby.find(k_ed25519)->state == keyring::KeyState::active);
    refused(ctl::Status::refused, "with --rollback it is installed all the same",
            [&] { static_cast<void>(ctl::install_keyring(standby.context, file, false)); });
    static_cast<void>(ctl::revoke_key(p.context, "a", "lost"));
    CHECK_EQ(p.header().generation, std::uint64_t{3}); // the number 2 is used up
    CHECK(contains(ctl::install_keyring(standby.context, p.context.keyring, false),
                   "0 keys active, 1 revoked"));
    CHECK(contains(read_file(standby.dir / "revoked_keys"), "ssh-ed25519 "));
    CHECK(contains(ctl::install_keyring(standby.context, file, true), "installed generation 2"));
    refused(ctl::Status::unavailable, "the store ",
            [&] { static_cast<void>(standby.add(k_rsa2048, {"b"})); });
}

void what_is_no_keyring_is_not_installed() {
    Place p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    const std::string good = read_file(p.context.keyring);
    const std::string file = p.dir / "file";
    const auto both_refuse = [&](ctl::Status status, std::string_view words) {
        refused(status, words, [&] { static_cast<void>(ctl::check_keyring(p.context, file)); });
        refused(status, words, [&] { static_cast<void>(ctl::install_keyring(p.context, file, true)); });
        CHECK_EQ(read_file(p.context.keyring), good);
    };
    both_refuse(ctl::Status::no_input, "file: ");
    write_file(file, good.substr(0, good.size() - 1));
    both_refuse(ctl::Status::bad_data, "not as long as it says");
    std::string damaged = good;
    damaged[damaged.find("ssh-ed25519")] ^= 1;
    write_file(file, damaged);
    both_refuse(ctl::Status::bad_data, "damaged");
    write_file(file, good);
    CHECK_EQ(::chmod(file.c_str(), 0664), 0);
    both_refuse(ctl::Status::no_permission, "writable by group or others");
    CHECK_EQ(::unlink(file.c_str()), 0);
    CHECK_EQ(::symlink(p.context.keyring.c_str(), file.c_str()), 0);
    both_refuse(ctl::Status::bad_data, "link");
}

// A setting that a publish would change without saying so.
void every_setting_has_its_words() {
    const auto texts = ctl::policy_text(keyring::Policy{});
    const auto settings = ctl::settings();
    CHECK_EQ(texts.size(), settings.size());
    for (std::size_t i = 0; i < texts.size(); ++i)
        CHECK_EQ(texts[i].name, fmt::format("{}.{}", settings[i].section, settings[i].key));
    keyring::Policy other;
    other.spool_max_backlog = 60'000;
    other.spool_mode = 0640;
    other.binding_default = keyring::Binding::observe;
    CHECK(ctl::policy_changes(keyring::Policy{}, other) ==
          std::vector<std::string>({"spool.mode: 0660 -> 0640", "spool.max_backlog: 50000 -> 60000",
                                    "binding.default: (not set: enforce) -> observe"}));
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(a_change_of_one_key_does_not_read_the_others),
        GATE_TEST(a_keyring_that_is_not_the_stores_is_built_anew),
        GATE_TEST(a_damaged_record_of_another_key_is_not_copied),
        GATE_TEST(the_list_of_revoked_keys_follows),
        GATE_TEST(no_keyring_without_the_list_of_revoked_keys),
        GATE_TEST(publish_says_which_keys_changed),
        GATE_TEST(a_dry_run_leaves_no_trace),
        GATE_TEST(a_dry_run_of_the_others_leaves_no_trace),
        GATE_TEST(going_back),
        GATE_TEST(going_back_does_not_bring_a_revoked_key_back),
        GATE_TEST(going_back_works_without_the_store),
        GATE_TEST(a_keyring_for_another_machine),
        GATE_TEST(what_is_no_keyring_is_not_installed),
        GATE_TEST(every_setting_has_its_words),
    };
    return cmocka_run_group_tests_name("ctl_publish", tests, nullptr, nullptr);
}
