// Users who send by FTP, in the store and in the keyring: they are handled like keys, and no key is ever made
// of one.
#include "tests/unit/support.h"
#include "tests/unit/test_ctl_place.h"

#include "authkeys_cmd/answer.h"
#include "authkeys_cmd/line.h"
#include "authkeys_cmd/status.h"
#include "gatectl/backup/commands.h"
#include "gatectl/command_line.h"
#include "gatectl/keys/import.h"
#include "gatectl/publish/compile.h"
#include "gatectl/publish/publish.h"
#include "lib/base/sha256.h"
#include "lib/base/text.h"
#include "lib/keyring/ftp_sender.h"

#include <algorithm>
#include <nlohmann/json.hpp>

using namespace gate;
using namespace gate::test;

namespace {

struct FtpPlace : Place {
    std::string add_user(const std::string& user, const std::vector<std::string>& agents,
                         const std::string& id = {}) {
        return ctl::add_key(
            context, {.key = {}, .agents = agents, .note = {}, .id = id, .binding = {}, .ftp_user = user});
    }
    [[nodiscard]] std::optional<keyring::KeyRecord> find_user(std::string_view user) const {
        const auto found = reader().find(keyring::ftp_sender(user).fingerprint);
        CHECK_OK(found);
        return *found;
    }
    [[nodiscard]] bool remarked(std::string_view words) const {
        return std::any_of(context.remarks.begin(), context.remarks.end(),
                           [&](const std::string& r) { return contains(r, words); });
    }
    std::string words(std::vector<std::string> words) {
        ctl::CommandLine line;
        std::vector<const char*> argv = {"pandora-gate"};
        for (const std::string& word : words)
            argv.push_back(word.c_str());
        line.context = context;
        line.app.parse(static_cast<int>(argv.size()), argv.data());
        return line.command();
    }
};

void a_user_is_published_like_a_key() {
    FtpPlace p;
    const std::string said = p.add_user("bob", {"web01", "db*"});
    CHECK_MSG(contains(said, "added ftp:bob SHA256:"), said);
    CHECK_MSG(contains(said, "(ftp-user) for agent \"web01\", \"db*\""), said);
    const auto record = p.find_user("bob");
    CHECK(record.has_value());
    CHECK_EQ(record->id, std::string("ftp:bob"));
    CHECK_EQ(record->type, std::string(keyring::k_ftp_type));
    CHECK_EQ(record->blob, keyring::ftp_sender("bob").blob);
    CHECK_EQ(record->agents.size(), std::size_t{2});
    CHECK(record->state == keyring::KeyState::active);
    CHECK(!p.find_user("alice"));
    CHECK(contains(p.add_user("bob", {"db*", "web01"}), "already there, nothing changed"));
    refused(ctl::Status::refused, "the user bob is already there as ftp:bob for agent",
            [&] { static_cast<void>(p.add_user("bob", {"web02"})); });
    // An id of one's own; and with it, he still answers to his name.
    static_cast<void>(p.add_user("alice", {"web02"}, "branch-7"));
    CHECK_EQ(p.find_user("alice")->id, std::string("branch-7"));
    CHECK(contains(ctl::show_key(p.context, "ftp:alice", false), "branch-7"));
    CHECK(contains(ctl::show_key(p.context, "ftp:bob", false), "ftp:bob"));
}

void limits_and_dates_are_of_a_user_too() {
    FtpPlace p;
    static_cast<void>(ctl::add_key(p.context, {.key = {},
                                               .agents = {"web01"},
                                               .note = "n",
                                               .id = {},
                                               .binding = "observe",
                                               .expires = "2099-01-31",
                                               .not_before = "2020-01-01",
                                               .limits = {.quota_files = "7", .max_file_size = "1MB"},
                                               .approver = "ann",
                                               .ftp_user = "bob"}));
    const auto record = p.find_user("bob");
    CHECK(record.has_value());
    CHECK(record->binding == keyring::Binding::observe);
    CHECK_EQ(record->limits.quota_files, 7U);
    CHECK_EQ(record->limits.max_file_size, std::uint64_t{1'000'000});
    CHECK(record->expires_at > 4'000'000'000 && record->not_before > 1'500'000'000);
}

void what_cannot_be_a_user() {
    FtpPlace p;
    for (const char* user :
         {"a/b", "-x", ".x", "..", "a:b", "a b", "a\nb", "a\x7f", "\xc3\xa4", "a,b", "a\"b"})
        refused(ctl::Status::usage, "cannot be the name of a user",
                [&] { static_cast<void>(p.add_user(user, {"a"})); });
    refused(ctl::Status::usage, "longer than 32",
            [&] { static_cast<void>(p.add_user(std::string(33, 'a'), {"a"})); });
    CHECK(::access(p.context.store.c_str(), F_OK) != 0 || p.stored().empty());
    for (const std::string& user : {std::string(32, 'a'), std::string("x"), std::string("dom\\bob@x$")})
        static_cast<void>(p.add_user(user, {"a"}));
    CHECK_EQ(p.stored().size(), std::size_t{3});
}

void nothing_of_a_key_goes_with_a_user() {
    FtpPlace p;
    refused(ctl::Status::usage, "rhost=", [&] {
        static_cast<void>(ctl::add_key(p.context, {.key = {},
                                                   .agents = {"a"},
                                                   .note = {},
                                                   .id = {},
                                                   .binding = {},
                                                   .from = {"10.0.0.0/8"},
                                                   .ftp_user = "bob"}));
    });
    write_file(p.dir / "a.pub", k_ed25519.line);
    refused(ctl::Status::usage, "give FILE or --ftp", [&] {
        static_cast<void>(p.words({"keys", "add", p.dir / "a.pub", "--ftp", "bob"}));
    });
    refused(ctl::Status::usage, "--ftp: say which user", [&] {
        static_cast<void>(p.words({"keys", "add", "--ftp", ""}));
    });
    static_cast<void>(p.words({"keys", "add", "--ftp", "bob", "--agent", "web01"}));
    refused(ctl::Status::refused, "rhost=", [&] {
        static_cast<void>(
            ctl::set_key(p.context, {.key = "ftp:bob", .from = std::vector<std::string>{"::1"}}));
    });
    static_cast<void>(ctl::set_key(p.context, {.key = "ftp:bob", .note = "x"})); // the control
    // No new key takes the place of a user, and no user that of a key.
    refused(ctl::Status::refused, "ftp:bob sends by FTP and has no key", [&] {
        static_cast<void>(ctl::rotate_key(p.context, {.agent = "web01", .new_key = k_ed25519.line}));
    });
    refused(ctl::Status::refused, "ftp:bob sends by FTP and has no key", [&] {
        static_cast<void>(
            ctl::rotate_key(p.context, {.agent = "web01", .new_key = k_ed25519.line, .key = "ftp:bob"}));
    });
    static_cast<void>(p.add(k_ecdsa256, {"web01"}, "real"));
    CHECK(contains(ctl::rotate_key(p.context, {.agent = "web01", .new_key = k_ed25519.line}), "real"));
    CHECK_EQ(p.find_user("bob")->expires_at, std::int64_t{0});
}

void a_user_lives_and_dies_like_a_key() {
    FtpPlace p;
    static_cast<void>(p.add_user("bob", {"web01"}));
    static_cast<void>(ctl::bind_key(p.context, {.keys = {"ftp:bob"}, .agents = {"web02"}, .binding = "off"}));
    CHECK_EQ(p.find_user("bob")->agents.size(), std::size_t{2});
    static_cast<void>(ctl::disable_key(p.context, "ftp:bob", "x"));
    CHECK(p.find_user("bob")->state == keyring::KeyState::disabled);
    static_cast<void>(ctl::enable_key(p.context, "ftp:bob", ""));
    CHECK(p.find_user("bob")->state == keyring::KeyState::active);
    static_cast<void>(ctl::remove_key(p.context, "ftp:bob", "x", true));
    CHECK(!p.find_user("bob"));
    refused(ctl::Status::refused, "was removed on",
            [&] { static_cast<void>(ctl::disable_key(p.context, "ftp:bob", "x")); });
    CHECK(contains(p.add_user("bob", {"web03"}), "it was removed on"));
    static_cast<void>(ctl::revoke_key(p.context, "ftp:bob", "gone"));
    CHECK(p.find_user("bob")->state == keyring::KeyState::revoked);
    refused(ctl::Status::refused, "the user bob was revoked as ftp:bob",
            [&] { static_cast<void>(p.add_user("bob", {"web03"})); });
    CHECK(contains(ctl::history_of_key(p.context, "ftp:bob"), "revoke"));
}

// Whom the keyring does not know sends as one who is bound to nobody.
void a_revocation_is_not_undone_by_a_removal() {
    FtpPlace p;
    static_cast<void>(p.add_user("bob", {"web01"}));
    static_cast<void>(ctl::revoke_key(p.context, "ftp:bob", "gone"));
    for (const bool force : {false, true})
        refused(ctl::Status::refused, "ftp:bob is revoked",
                [&] { static_cast<void>(ctl::remove_key(p.context, "ftp:bob", "x", force)); });
    CHECK(p.find_user("bob")->state == keyring::KeyState::revoked);
    static_cast<void>(p.add(k_ed25519, {"web01"}, "real")); // the control: a key goes
    static_cast<void>(ctl::revoke_key(p.context, "real", "gone"));
    static_cast<void>(ctl::remove_key(p.context, "real", "x", false));
    CHECK(!p.remarked("is not shut out by this"));
    static_cast<void>(p.add_user("alice", {"web02"}));
    static_cast<void>(ctl::remove_key(p.context, "ftp:alice", "x", true));
    CHECK(!p.find_user("alice"));
    CHECK(p.remarked("the user alice is not shut out by this"));
}

void a_user_is_called_by_his_whole_name() {
    FtpPlace p;
    static_cast<void>(p.add_user("web10", {"a"}));
    refused(ctl::Status::refused,
            "there is no user \"ftp:web1\" here: add him with `pandora-gate keys add --ftp web1`",
            [&] { static_cast<void>(ctl::disable_key(p.context, "ftp:web1", "x")); });
    refused(ctl::Status::refused, "keys add --ftp nobody", [&] {
        static_cast<void>(
            ctl::bind_learned(p.context, {.keys = {"ftp:nobody"}, .agents = {}, .binding = {}}));
    });
    CHECK(p.find_user("web10")->state == keyring::KeyState::active);
    static_cast<void>(ctl::disable_key(p.context, "ftp:web10", "x")); // the control
    CHECK(p.find_user("web10")->state == keyring::KeyState::disabled);
}

Result<spool::Learned> three_packets(const std::string&, uid_t) {
    return spool::Learned{.packets = 3, .names = {"web07", "web07", "web07"}};
}

void a_user_without_agents_learns() {
    FtpPlace p;
    write_file(p.context.config, "[account]\nuser = \"daemon\"\n");
    static_cast<void>(ctl::publish_command(p.context));
    p.context.read_learned = three_packets;
    CHECK(contains(p.add_user("bob", {}), "its first packets will name"));
    CHECK(contains(ctl::list_learned(p.context, false), "ftp:bob"));
    CHECK(contains(ctl::bind_learned(p.context, {.keys = {}, .agents = {}, .binding = {}}), "bound ftp:bob"));
    CHECK_EQ(p.find_user("bob")->agents[0].name, std::string("web07"));
    write_file(p.context.config, "[account]\nuser = \"daemon\"\n[binding]\nunbound_keys = \"refuse\"\n");
    static_cast<void>(ctl::publish_command(p.context));
    refused(ctl::Status::usage, "--agent NAME", [&] { static_cast<void>(p.add_user("alice", {})); });
}

void types_and_bits_are_of_keys() {
    FtpPlace p;
    write_file(p.context.config, "[keys]\ntypes = [\"ed25519\"]\n");
    static_cast<void>(ctl::publish_command(p.context));
    static_cast<void>(p.add_user("bob", {"a"}));
    p.context.remarks.clear();
    static_cast<void>(ctl::publish_command(p.context));
    CHECK(!p.remarked("would not be accepted"));
}

void lists_show_what_he_is() {
    FtpPlace p;
    static_cast<void>(p.add(k_ed25519, {"web01"}, "key"));
    static_cast<void>(p.add_user("bob", {"web01"}));
    CHECK(contains(ctl::list_keys(p.context, false), "ftp:bob"));
    const std::string wide = ctl::list_keys(p.context, false, {.wide = true});
    CHECK(contains(wide, "ftp-user") && contains(wide, "ed25519"));
    const std::string only = ctl::list_keys(p.context, false, {.type = "ftp-user"});
    CHECK(contains(only, "ftp:bob") && !contains(only, "key "));
    CHECK(!contains(ctl::list_keys(p.context, false, {.type = "sk-ecdsa"}), "ftp:bob"));
    const std::string shown = ctl::show_key(p.context, "ftp:bob", false);
    CHECK(contains(shown, "type         ftp-user\n") && contains(shown, "ftp user     bob\n"));
    CHECK(!contains(shown, "public key"));
    const auto json = nlohmann::json::parse(ctl::show_key(p.context, "ftp:bob", true));
    CHECK(json["public_key"].is_null());
    CHECK_EQ(json["ftp_user"].get<std::string>(), std::string("bob"));
    CHECK(!nlohmann::json::parse(ctl::show_key(p.context, "key", true)).contains("ftp_user"));
    CHECK(contains(ctl::review_keys(p.context), ",ftp-user,web01,active,"));
}

// A line for a key that there is none of would make sshd refuse the whole file, or everybody.
void no_file_of_sshd_names_him() {
    FtpPlace p;
    static_cast<void>(p.add(k_ed25519, {"web01"}, "key"));
    static_cast<void>(p.add(k_ecdsa256, {"web01"}, "gone"));
    for (const char* user : {"bob", "alice"})
        static_cast<void>(p.add_user(user, {"web01"}));
    static_cast<void>(ctl::revoke_key(p.context, "ftp:alice", "x"));
    static_cast<void>(ctl::revoke_key(p.context, "gone", "x"));
    const auto lines = [](const std::string& text) { return std::count(text.begin(), text.end(), '\n'); };
    const auto check = [&](const std::string& text, std::string_view type) {
        CHECK_MSG(lines(text) == 1 && contains(text, type) && !contains(text, "ftp"), text);
    };
    const auto export_as = [&](const char* format) {
        p.context.remarks.clear();
        std::string text = ctl::export_keys(p.context, format);
        CHECK(p.remarked("1 user(s) who send by FTP are left out: they have no key"));
        return text;
    };
    check(export_as("authorized_keys"), "ssh-ed25519");
    check(export_as("revoked"), "ecdsa");
    check(read_file(p.dir / "revoked_keys"), "ecdsa");
    static_cast<void>(ctl::publish_command(p.context));
    check(read_file(p.dir / "revoked_keys"), "ecdsa");
    CHECK_EQ(nlohmann::json::parse(ctl::export_keys(p.context, "json")).size(), std::size_t{4});
}

void authkeys_serves_none() {
    FtpPlace p;
    static_cast<void>(p.add(k_ed25519, {"web01"}, "key"));
    static_cast<void>(p.add_user("bob", {"web01"}, "bob")); // an id that a key could have
    const auto ask = [&](const std::string& fingerprint) {
        return authkeys::answer({.keyring = p.context.keyring.c_str(),
                                 .owner = p.context.owner,
                                 .user = "pandora",
                                 .fingerprint = fingerprint},
                                1'800'000'000);
    };
    const auto key = ask(k_ed25519.fingerprint);
    CHECK(key.status == authkeys::Status::ok && !key.line.empty()); // the control
    const auto user = ask(keyring::format_fingerprint(keyring::ftp_sender("bob").fingerprint));
    CHECK(user.status == authkeys::Status::unprintable);
    CHECK(user.line.empty());
}

void a_line_of_a_key_file_makes_no_user() {
    FtpPlace p;
    const std::string line =
        "ftp-user " + base64_encode(as_bytes(keyring::ftp_sender("bob").blob)) + " bob\n";
    refused(ctl::Status::bad_data, "", [&] {
        static_cast<void>(
            ctl::add_key(p.context, {.key = line, .agents = {"a"}, .note = {}, .id = {}, .binding = {}}));
    });
    // Nor an id, a name that belongs to users.
    refused(ctl::Status::usage, "cannot be a key id",
            [&] { static_cast<void>(p.add(k_ed25519, {"a"}, "ftp:bob")); });
    refused(ctl::Status::usage, "cannot be a key id",
            [&] { static_cast<void>(p.add_user("bob", {"a"}, "ftp:alice")); });
}

void a_row_that_is_not_consistent_is_not_published() {
    const keyring::KeyRecord good = keyring::ftp_sender("bob");
    const auto row = [](const keyring::KeyRecord& record) {
        ctl::StoredKey key = ctl::to_stored(record);
        key.agents = {"a"};
        return key;
    };
    CHECK(ctl::compile(row(good)).fingerprint == good.fingerprint);
    const auto is_damaged = [](const ctl::StoredKey& key) {
        refused(ctl::Status::bad_data, "damaged", [&] { static_cast<void>(ctl::compile(key)); });
    };
    auto bad = row(good);
    bad.id = "ftp:alice";
    is_damaged(bad);
    bad = row(good);
    bad.fingerprint = keyring::format_fingerprint(keyring::ftp_sender("alice").fingerprint);
    is_damaged(bad);
    bad = row(good);
    bad.type = "ssh-ed25519";
    is_damaged(bad);
    for (const char* user : {"", "a/b", "../x"}) {
        bad = row(keyring::ftp_sender(user));
        bad.id = "x";
        is_damaged(bad);
    }
    keyring::KeyRecord longer = good;
    longer.blob += '\0';
    longer.fingerprint = sha256(as_bytes(longer.blob));
    is_damaged(row(longer));
}

// What only the published keyring knows of a revoked user comes back into the store, under his name.
void a_revocation_in_the_keyring_is_taken_over() {
    FtpPlace p;
    static_cast<void>(p.add(k_ed25519, {"web01"}, "key"));
    const std::string old_store = read_file(p.context.store);
    static_cast<void>(p.add_user("bob", {"web01"}));
    static_cast<void>(ctl::revoke_key(p.context, "ftp:bob", "gone"));
    write_file(p.context.store, old_store, 0600);
    static_cast<void>(ctl::publish_command(p.context));
    CHECK(p.remarked("1 revocation(s) taken over"));
    CHECK(p.find_user("bob")->state == keyring::KeyState::revoked);
    CHECK_EQ(p.find_user("bob")->id, std::string("ftp:bob"));
}

// A revocation that came after the backup stays; the rest is as it was.
void a_backup_keeps_users() {
    FtpPlace p;
    write_file(p.context.config, "[account]\nuser = \"daemon\"\n");
    static_cast<void>(ctl::publish_command(p.context));
    for (const char* user : {"bob", "alice"})
        static_cast<void>(p.add_user(user, {"web01"}));
    const std::string file = p.dir / "backup";
    static_cast<void>(
        ctl::backup_command(p.context, {.file = file, .full = false, .host_keys = false, .force = false}));
    static_cast<void>(ctl::bind_key(p.context, {.keys = {"ftp:bob"}, .agents = {"web02"}, .binding = {}}));
    static_cast<void>(ctl::revoke_key(p.context, "ftp:alice", "gone"));
    static_cast<void>(p.add_user("carol", {"web03"}));
    static_cast<void>(ctl::revoke_key(p.context, "ftp:carol", "gone"));
    static_cast<void>(ctl::restore_command(p.context, {.file = file, .host_keys = false}));
    CHECK_EQ(p.find_user("bob")->agents.size(), std::size_t{1});
    CHECK(p.find_user("bob")->state == keyring::KeyState::active);
    CHECK(p.find_user("alice")->state == keyring::KeyState::revoked);
    CHECK(p.find_user("carol")->state == keyring::KeyState::revoked); // whom the backup did not know
    CHECK_EQ(p.find_user("carol")->id, std::string("ftp:carol"));
}

void remarks_come_before_surprises() {
    FtpPlace p;
    static_cast<void>(p.add_user("no-such-user-x", {"a"}));
    CHECK(p.remarked("the user no-such-user-x does not exist on this machine yet"));
    CHECK(p.remarked("until ftp.enabled is true"));
    p.context.remarks.clear();
    write_file(p.context.config, "[ftp]\nenabled = true\nuser = \"daemon\"\n");
    static_cast<void>(ctl::publish_command(p.context));
    static_cast<void>(p.add_user("root", {"a"}));
    CHECK(p.context.remarks.empty());
    CHECK(p.policy().ftp_enabled);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(a_user_is_published_like_a_key),
        GATE_TEST(limits_and_dates_are_of_a_user_too),
        GATE_TEST(what_cannot_be_a_user),
        GATE_TEST(nothing_of_a_key_goes_with_a_user),
        GATE_TEST(a_user_lives_and_dies_like_a_key),
        GATE_TEST(a_revocation_is_not_undone_by_a_removal),
        GATE_TEST(a_user_is_called_by_his_whole_name),
        GATE_TEST(a_user_without_agents_learns),
        GATE_TEST(types_and_bits_are_of_keys),
        GATE_TEST(lists_show_what_he_is),
        GATE_TEST(no_file_of_sshd_names_him),
        GATE_TEST(authkeys_serves_none),
        GATE_TEST(a_line_of_a_key_file_makes_no_user),
        GATE_TEST(a_row_that_is_not_consistent_is_not_published),
        GATE_TEST(a_revocation_in_the_keyring_is_taken_over),
        GATE_TEST(a_backup_keeps_users),
        GATE_TEST(remarks_come_before_surprises),
    };
    return cmocka_run_group_tests_name("ctl_ftp", tests, nullptr, nullptr);
}
