// A key's whole life by the commands: on which terms it comes, what may change, how it ends, and what no
// command gives back.
#include "tests/unit/support.h"
#include "tests/unit/test_ctl_keys.h"
#include "tests/unit/test_ctl_place.h"

#include "gatectl/keys/when.h"
#include "lib/base/clock.h"

#include <nlohmann/json.hpp>

using namespace gate;
using namespace gate::test;

namespace {

constexpr std::int64_t k_day = 24 * 3600;

std::int64_t now() {
    return wall_clock_us() / 1'000'000;
}

ctl::AddRequest request(const Fixture& key, std::vector<std::string> agents, const std::string& id = {}) {
    return {.key = key.line, .agents = std::move(agents), .note = {}, .id = id, .binding = {}};
}

struct LifePlace : Place {
    LifePlace() { static_cast<void>(add(k_ed25519, {"web01"}, "web")); }

    ctl::StoredKey row(const std::string& id) {
        ctl::Store store(context.store, context.owner, 0);
        const ctl::Store::Transaction transaction(store, ctl::Store::Transaction::Kind::read);
        return *store.find_id(id);
    }
    std::vector<ctl::HistoryEntry> history(const std::string& id) {
        ctl::Store store(context.store, context.owner, 0);
        const ctl::Store::Transaction transaction(store, ctl::Store::Transaction::Kind::read);
        return store.history(*store.find_id(id));
    }
    std::string set(ctl::SetRequest request) {
        request.key = "web";
        return ctl::set_key(context, request);
    }
    keyring::Standing standing(const Fixture& key) const {
        const auto record = find(key);
        CHECK(record.has_value());
        return keyring::standing(*record, now());
    }
};

void a_key_comes_on_terms() {
    Place p;
    auto wanted = request(k_ed25519, {"web01"}, "web");
    wanted.expires = "2099-01-31";
    wanted.not_before = "2027-01-01T12:00Z";
    wanted.from = {"10.0.0.0/8", "2001:DB8::1", "10.0.0.0/8"};
    wanted.limits = {.quota_files = "10", .quota_bytes = "64MB", .max_file_size = "1MiB"};
    wanted.approver = "ann";
    CHECK(contains(ctl::add_key(p.context, wanted),
                   "for agent \"web01\", from 10.0.0.0/8 2001:db8::1, valid from 2027-01-01T12:00:00Z, "
                   "expires 2099-01-31T00:00:00Z\n"));
    const auto record = p.find(k_ed25519);
    CHECK_EQ(record->expires_at, ctl::parse_when("x", "2099-01-31", 0));
    CHECK_EQ(record->not_before, ctl::parse_when("x", "2027-01-01T12:00", 0));
    CHECK(record->from == std::vector<std::string>({"10.0.0.0/8", "2001:db8::1"}));
    CHECK_EQ(record->limits.quota_files, 10U);
    CHECK_EQ(record->limits.quota_bytes, std::uint64_t{64'000'000});
    CHECK_EQ(record->limits.max_file_size, std::uint64_t{1 << 20});
    CHECK_EQ(p.stored()[0].approver, std::string("ann"));
}

void terms_that_make_no_sense_are_refused() {
    Place p;
    const auto refuse = [&p](ctl::Status status, std::string_view words, auto change) {
        auto wanted = request(k_ed25519, {"web01"});
        change(wanted);
        refused(status, words, [&] { static_cast<void>(ctl::add_key(p.context, wanted)); });
    };
    const auto usage = ctl::Status::usage;
    refuse(usage, "--expires: 2020-01-01T00:00:00Z is past", [](auto& r) { r.expires = "2020-01-01"; });
    refuse(usage, "is past", [](auto& r) { r.expires = "0s"; });
    refuse(usage, "would never be valid", [](auto& r) { r.expires = "1d", r.not_before = "2d"; });
    refuse(usage, "would never be valid", [](auto& r) { r.expires = "1d", r.not_before = "1d"; });
    refuse(usage, "--expires: 'soon' is no time", [](auto& r) { r.expires = "soon"; });
    refuse(usage, "is a name", [](auto& r) { r.from = {"localhost"}; });
    refuse(usage, "--quota-bytes: '64' is no size", [](auto& r) { r.limits.quota_bytes = "64"; });
    refuse(usage, "--max-file-size: a size goes from", [](auto& r) { r.limits.max_file_size = "1GB"; });
    refuse(usage, "--quota-files: '0' is no number", [](auto& r) { r.limits.quota_files = "0"; });
    refuse(ctl::Status::refused, "its quota would be 1000000 bytes, its largest file 2000000 bytes",
           [](auto& r) { r.limits.quota_bytes = "1MB"; });
    CHECK(::access(p.context.keyring.c_str(), F_OK) != 0); // nothing was published
}

void adding_again_on_the_same_terms_is_harmless() {
    LifePlace p;
    auto wanted = request(k_rsa2048, {"db"}, "db");
    wanted.expires = "90d";
    wanted.from = {"10.0.0.0/8", "127.0.0.1"};
    static_cast<void>(ctl::add_key(p.context, wanted));
    const std::uint64_t generation = p.header().generation;
    std::swap(wanted.from[0], wanted.from[1]);
    CHECK(contains(ctl::add_key(p.context, wanted),
                   "db SHA256:NJ+66Bdlsmpr46NekjV44F5N9YPmzaHrjwzvtcbwp3c is "
                   "already there, nothing changed\n"));
    const auto refuse = [&](std::string_view words, auto change) {
        auto other = wanted;
        change(other);
        refused(ctl::Status::refused, words, [&] { static_cast<void>(ctl::add_key(p.context, other)); });
    };
    refuse("as db with another expiry: change it with `pandora-gate keys set db --expires 91d`",
           [](auto& r) { r.expires = "91d"; });
    refuse("other networks: change it with `pandora-gate keys set db --from 10.0.0.0/8`",
           [](auto& r) { r.from = {"10.0.0.0/8"}; });
    refuse("another beginning", [](auto& r) { r.not_before = "1d"; });
    refuse("other limits", [](auto& r) { r.limits.quota_files = "5"; });
    refuse("another approver", [](auto& r) { r.approver = "bob"; });
    refuse("another note", [](auto& r) { r.note = "x"; });
    refuse("another binding", [](auto& r) { r.binding = "off"; });
    CHECK_EQ(p.header().generation, generation);
    // What is there, but cannot be used, is not passed over in silence.
    static_cast<void>(ctl::disable_key(p.context, "db", "why"));
    CHECK(contains(ctl::add_key(p.context, wanted), "is already there (disabled), nothing changed"));
}

void set_changes_all_in_one_and_says_what() {
    LifePlace p;
    const std::uint64_t generation = p.header().generation;
    ctl::SetRequest r;
    r.expires = "2099-01-31";
    r.from = std::vector<std::string>{"127.0.0.1"};
    r.note = "se\xc3\xb1or";
    r.approver = "ann";
    r.agents = std::vector<std::string>{"web01", "web02"};
    r.binding = "observe";
    r.limits.max_file_size = "1MB";
    CHECK_EQ(p.set(r), fmt::format("changed web {}\n"
                                   "  agents: web01 -> web01, web02\n"
                                   "  binding: default -> observe\n"
                                   "  note: agent@ed25519 -> se\\xc3\\xb1or\n"
                                   "  approver: tester -> ann\n"
                                   "  expires: never -> 2099-01-31T00:00:00Z\n"
                                   "  from: anywhere -> 127.0.0.1\n"
                                   "  max file size: default -> 1000000\n"
                                   "published generation {}: 1 key active, 0 revoked\n",
                                   k_ed25519.fingerprint, generation + 1));
    CHECK(p.find(k_ed25519)->from == std::vector<std::string>{"127.0.0.1"});
    CHECK(p.find(k_ed25519)->expires_at == ctl::parse_when("x", "2099-01-31", 0));
    CHECK(contains(p.set(r), "is set so already, nothing changed\n"));
    CHECK_EQ(p.header().generation, generation + 1);
    const auto history = p.history("web");
    CHECK_EQ(history.size(), std::size_t{2});
    CHECK_EQ(history[1].action, std::string("set"));
    CHECK(contains(history[1].before, R"("from":[])"));
    CHECK(contains(history[1].after, R"("from":["127.0.0.1"])"));
}

void set_takes_away() {
    LifePlace p;
    ctl::SetRequest r;
    r.expires = "90d";
    r.not_before = "1d";
    r.from = std::vector<std::string>{"127.0.0.1"};
    r.binding = "off";
    r.limits = {.quota_files = "5", .quota_bytes = "64MB", .max_file_size = "1MB"};
    static_cast<void>(p.set(r));
    const ctl::StoredKey with = p.row("web");
    CHECK_EQ(with.from.size(), std::size_t{1});
    CHECK_EQ(with.limits.quota_files, 5U);
    ctl::SetRequest none;
    none.expires = none.not_before = none.note = "";
    none.from = none.agents = std::vector<std::string>{};
    none.binding = "default";
    none.limits = {.quota_files = "default", .quota_bytes = "default", .max_file_size = "default"};
    static_cast<void>(p.set(none));
    const ctl::StoredKey without = p.row("web");
    CHECK_EQ(without.expires_at, 0);
    CHECK_EQ(without.not_before, 0);
    CHECK(without.from.empty() && without.agents.empty() && without.binding.empty() && without.note.empty());
    CHECK(without.limits == keyring::Limits{});
    CHECK(p.find(k_ed25519)->from.empty());
}

void set_refuses_what_makes_no_sense() {
    LifePlace p;
    const auto refuse = [&p](ctl::Status status, std::string_view words, auto change) {
        ctl::SetRequest r;
        change(r);
        refused(status, words, [&] { static_cast<void>(p.set(r)); });
    };
    const auto usage = ctl::Status::usage;
    refuse(usage, "say what to change", [](auto&) {});
    refuse(usage, "is past", [](auto& r) { r.expires = "2020-01-01"; });
    refuse(usage, "would never be valid", [](auto& r) { r.expires = "1d", r.not_before = "1d"; });
    refuse(usage, "--binding is enforce, observe", [](auto& r) { r.binding = "x"; });
    refuse(usage, "--binding is enforce, observe", [](auto& r) { r.binding = ""; });
    refuse(usage, "--approver", [](auto& r) { r.approver = ""; });
    refuse(usage, "control character", [](auto& r) { r.note = "a\nb"; });
    refuse(ctl::Status::refused, "its quota would be", [](auto& r) { r.limits.quota_bytes = "1MB"; });
    CHECK_EQ(p.header().generation, std::uint64_t{1});
    // What is there already counts with what is given.
    ctl::SetRequest ends;
    ends.expires = "10d";
    static_cast<void>(p.set(ends));
    refuse(usage, "would never be valid", [](auto& r) { r.not_before = "11d"; });
    static_cast<void>(ctl::revoke_key(p.context, "web", "lost"));
    refuse(ctl::Status::refused, "only note and approver", [](auto& r) { r.expires = ""; });
    ctl::SetRequest note;
    note.note = "found in the drawer";
    CHECK(contains(p.set(note), "note: agent@ed25519 -> found in the drawer"));
}

void disable_and_enable() {
    LifePlace p;
    CHECK(contains(ctl::disable_key(p.context, "web", "stolen?"),
                   fmt::format("disabled web {}\n", k_ed25519.fingerprint)));
    CHECK(p.standing(k_ed25519) == keyring::Standing::disabled);
    CHECK(contains(ctl::disable_key(p.context, "web", "again"), "(stolen?), nothing changed\n"));
    CHECK(contains(ctl::show_key(p.context, "web", false), "by tester: stolen?\n"));
    CHECK(contains(ctl::enable_key(p.context, "web", ""), "enabled web"));
    CHECK(p.standing(k_ed25519) == keyring::Standing::good);
    CHECK(contains(ctl::enable_key(p.context, "web", ""), "is enabled already, nothing changed\n"));
    refused(ctl::Status::usage, "say why",
            [&] { static_cast<void>(ctl::disable_key(p.context, "web", "")); });
    refused(ctl::Status::refused, "there is no key",
            [&] { static_cast<void>(ctl::disable_key(p.context, "x", "why")); });
    CHECK_EQ(p.history("web").size(), std::size_t{3});
}

void enable_does_not_bring_a_revoked_key_back() {
    LifePlace p;
    static_cast<void>(ctl::revoke_key(p.context, "web", "stolen"));
    refused(ctl::Status::refused, "and stays so",
            [&] { static_cast<void>(ctl::enable_key(p.context, "web", "found")); });
    refused(ctl::Status::refused, "refused for good",
            [&] { static_cast<void>(ctl::disable_key(p.context, "web", "x")); });
    CHECK(p.standing(k_ed25519) == keyring::Standing::revoked);
    CHECK(p.row("web").revoked());
}

void a_key_that_is_enabled_may_be_expired() {
    LifePlace p;
    ctl::SetRequest r;
    r.not_before = "10d";
    static_cast<void>(p.set(r));
    static_cast<void>(ctl::disable_key(p.context, "web", "x"));
    p.context.remarks.clear();
    static_cast<void>(ctl::enable_key(p.context, "web", ""));
    CHECK(contains(p.context.remarks.back(), "not valid yet"));
}

void remove_takes_a_key_out_and_keeps_its_history() {
    LifePlace p;
    refused(ctl::Status::refused, "is active and may be in use: revoke or disable it first, or say --force",
            [&] { static_cast<void>(ctl::remove_key(p.context, "web", "old", false)); });
    static_cast<void>(ctl::disable_key(p.context, "web", "old"));
    CHECK(contains(ctl::remove_key(p.context, "web", "old", false), "removed web"));
    CHECK(!p.find(k_ed25519).has_value());
    CHECK_EQ(ctl::list_keys(p.context, true), std::string("[]\n"));
    CHECK(contains(ctl::remove_key(p.context, "web", "old", false), "was removed on"));
    CHECK(contains(ctl::history_of_key(p.context, "web"), "remove by tester: old\n    removed: no -> yes\n"));
    CHECK(contains(ctl::show_key(p.context, k_ed25519.fingerprint, false), "state        removed on"));
    refused(ctl::Status::refused, "there is only its history",
            [&] { static_cast<void>(ctl::enable_key(p.context, "web", "")); });
    // With --force also one in use.
    static_cast<void>(p.add(k_rsa2048, {"db"}, "web01"));
    CHECK(contains(ctl::remove_key(p.context, "web01", "x", true), "removed web01"));
    CHECK(!p.find(k_rsa2048).has_value());
}

// An id that is gone must not stand for another key that begins with it.
void a_removed_id_is_no_beginning_of_another() {
    LifePlace p;
    static_cast<void>(p.add(k_rsa2048, {"db"}, "web01"));
    static_cast<void>(ctl::remove_key(p.context, "web", "x", true));
    refused(ctl::Status::refused, "the key web was removed on",
            [&] { static_cast<void>(ctl::revoke_key(p.context, "web", "x")); });
    CHECK(contains(ctl::remove_key(p.context, "web", "x", true), "was removed on"));
    CHECK(p.find(k_rsa2048).has_value());
    CHECK(contains(ctl::show_key(p.context, "web0", false), "id           web01\n"));
}

void a_removed_key_can_be_added_again() {
    LifePlace p;
    ctl::SetRequest r;
    r.from = std::vector<std::string>{"127.0.0.1"};
    static_cast<void>(p.set(r));
    static_cast<void>(ctl::disable_key(p.context, "web", "x"));
    static_cast<void>(ctl::remove_key(p.context, "web", "x", false));
    refused(ctl::Status::refused, "an id does not change",
            [&] { static_cast<void>(p.add(k_ed25519, {"db"}, "other")); });
    CHECK(contains(p.add(k_ed25519, {"db"}), "added web SHA256:cR4NiELuMPZQ8J6ftGYc3FnfwuPfi2fHMQH5VSl9RFE "
                                             "(ssh-ed25519) for agent \"db\"; it was removed on"));
    CHECK(p.standing(k_ed25519) == keyring::Standing::good);
    CHECK(p.find(k_ed25519)->from.empty());
    CHECK_EQ(p.stored().size(), std::size_t{1});
    CHECK_EQ(p.history("web").size(), std::size_t{5});
}

void a_removed_revoked_key_can_never_be_added_again() {
    LifePlace p;
    static_cast<void>(ctl::revoke_key(p.context, "web", "stolen"));
    CHECK(contains(ctl::remove_key(p.context, "web", "tidy", false),
                   "it was revoked: it can never be added again\n"));
    refused(ctl::Status::refused, "cannot be added again",
            [&] { static_cast<void>(p.add(k_ed25519, {"web01"})); });
    static_cast<void>(p.add(k_rsa2048, {"web01"}));
    refused(ctl::Status::refused, "cannot be added again", [&] {
        static_cast<void>(ctl::rotate_key(p.context, {.agent = "web01", .new_key = k_ed25519.line}));
    });
    CHECK(!p.find(k_ed25519).has_value());
    CHECK(contains(ctl::export_keys(p.context, "revoked"), std::string(k_ed25519.line).substr(0, 60)));
}

void rotate_gives_a_new_key_and_ends_the_old_one() {
    LifePlace p;
    ctl::SetRequest r;
    r.from = std::vector<std::string>{"127.0.0.1"};
    r.binding = "observe";
    r.agents = std::vector<std::string>{"web01", "db"};
    r.approver = "ann";
    r.limits.quota_files = "7";
    static_cast<void>(p.set(r));
    const std::uint64_t generation = p.header().generation;
    const std::int64_t before = now();
    CHECK(contains(ctl::rotate_key(p.context, {.agent = "db", .new_key = k_rsa2048.line, .id = "new"}),
                   fmt::format("added new {} (ssh-rsa) for agent \"web01\", \"db\"\nweb {} expires on ",
                               k_rsa2048.fingerprint, k_ed25519.fingerprint)));
    CHECK_EQ(p.header().generation, generation + 1); // old and new at once
    const auto old = p.find(k_ed25519);
    CHECK(old->expires_at >= before + 7 * k_day && old->expires_at <= now() + 7 * k_day);
    CHECK(p.standing(k_ed25519) == keyring::Standing::good);
    const ctl::StoredKey key = p.row("new");
    CHECK(key.from == *r.from && key.binding == "observe" && key.agents == *r.agents);
    CHECK(key.approver == "ann" && key.limits.quota_files == 7 && key.note == "agent@ed25519");
    CHECK_EQ(key.expires_at, 0);
    CHECK(contains(p.history("web").back().detail, "replaced by new SHA256:NJ+6"));
    CHECK(contains(p.history("new").back().detail, "in place of web SHA256:cR4N"));
    CHECK(
        contains(ctl::rotate_key(p.context, {.agent = "db", .new_key = k_rsa2048.line}), "nothing changed"));
    CHECK_EQ(p.header().generation, generation + 1);
}

void rotate_without_overlap_ends_the_old_key_at_once() {
    LifePlace p;
    CHECK(contains(ctl::rotate_key(p.context, {.agent = "web01", .new_key = k_rsa2048.line, .overlap = "0"}),
                   "has expired on"));
    CHECK(p.standing(k_ed25519) == keyring::Standing::expired);
    CHECK(p.standing(k_rsa2048) == keyring::Standing::good);
}

void rotate_never_prolongs_the_old_key() {
    LifePlace p;
    ctl::SetRequest r;
    r.expires = "1d";
    static_cast<void>(p.set(r));
    const std::int64_t end = p.row("web").expires_at;
    static_cast<void>(ctl::rotate_key(p.context, {.agent = "web01", .new_key = k_rsa2048.line}));
    CHECK_EQ(p.row("web").expires_at, end);
}

void rotate_refuses_what_is_not_clear() {
    LifePlace p;
    const auto rotate = [&p](ctl::RotateRequest r) {
        r.new_key = r.new_key.empty() ? k_ecdsa256.line : r.new_key;
        return ctl::rotate_key(p.context, r);
    };
    refused(ctl::Status::refused, "no active key is for agent \"web0\" by this very name",
            [&] { static_cast<void>(rotate({.agent = "web0"})); });
    refused(ctl::Status::usage, "is a date",
            [&] { static_cast<void>(rotate({.agent = "web01", .overlap = "2027-01-01"})); });
    refused(ctl::Status::refused, "but web has no end", [&] {
        static_cast<void>(p.add(k_rsa2048, {"web01"}, "second"));
        static_cast<void>(rotate({.agent = "web01", .new_key = k_rsa2048.line}));
    });
    refused(ctl::Status::refused,
            "agent \"web01\" has 2 active keys (web, second): say which one ends with --key",
            [&] { static_cast<void>(rotate({.agent = "web01"})); });
    refused(ctl::Status::refused, "is not for agent \"db\"",
            [&] { static_cast<void>(rotate({.agent = "db", .key = "web"})); });
    CHECK_EQ(p.header().generation, std::uint64_t{2});
    CHECK(contains(rotate({.agent = "web01", .overlap = "0", .key = "second"}), "second SHA256:NJ+6"));
    CHECK(p.standing(k_rsa2048) == keyring::Standing::expired);
    CHECK(p.standing(k_ed25519) == keyring::Standing::good);
}

void a_dry_run_keeps_nothing() {
    LifePlace p;
    const auto before = p.stored();
    const std::string keyring = read_file(p.context.keyring);
    p.context.dry_run = true;
    ctl::SetRequest r;
    r.from = std::vector<std::string>{"127.0.0.1"};
    CHECK_EQ(p.set(r), fmt::format("dry run: nothing was changed; without --dry-run it would say\n"
                                   "changed web {}\n  from: anywhere -> 127.0.0.1\n",
                                   k_ed25519.fingerprint));
    CHECK(contains(p.add(k_rsa2048, {"db"}), "\nadded db-"));
    CHECK(contains(ctl::disable_key(p.context, "web", "x"), "\ndisabled web"));
    CHECK(contains(ctl::revoke_key(p.context, "web", "x"), "\nrevoked web"));
    CHECK(contains(ctl::remove_key(p.context, "web", "x", true), "\nremoved web"));
    CHECK(
        contains(ctl::bind_key(p.context, {.keys = {"web"}, .agents = {"b"}, .binding = {}}), "\nbound web"));
    CHECK(contains(ctl::rotate_key(p.context, {.agent = "web01", .new_key = k_rsa2048.line}),
                   "\nadded web01-"));
    p.context.json = true;
    const auto said = nlohmann::json::parse(ctl::revoke_key(p.context, "web", "x"));
    CHECK(said["dry_run"] == true && said["published"].is_null());
    CHECK_EQ(said["changed"][0]["state"].get<std::string>(), std::string("revoked"));
    // A mistake is one in a dry run too.
    refused(ctl::Status::refused, "there is no key",
            [&] { static_cast<void>(ctl::revoke_key(p.context, "x", "x")); });
    p.context.dry_run = false;
    CHECK(p.stored() == before);
    CHECK(read_file(p.context.keyring) == keyring);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(a_key_comes_on_terms),
        GATE_TEST(terms_that_make_no_sense_are_refused),
        GATE_TEST(adding_again_on_the_same_terms_is_harmless),
        GATE_TEST(set_changes_all_in_one_and_says_what),
        GATE_TEST(set_takes_away),
        GATE_TEST(set_refuses_what_makes_no_sense),
        GATE_TEST(disable_and_enable),
        GATE_TEST(enable_does_not_bring_a_revoked_key_back),
        GATE_TEST(a_key_that_is_enabled_may_be_expired),
        GATE_TEST(remove_takes_a_key_out_and_keeps_its_history),
        GATE_TEST(a_removed_id_is_no_beginning_of_another),
        GATE_TEST(a_removed_key_can_be_added_again),
        GATE_TEST(a_removed_revoked_key_can_never_be_added_again),
        GATE_TEST(rotate_gives_a_new_key_and_ends_the_old_one),
        GATE_TEST(rotate_without_overlap_ends_the_old_key_at_once),
        GATE_TEST(rotate_never_prolongs_the_old_key),
        GATE_TEST(rotate_refuses_what_is_not_clear),
        GATE_TEST(a_dry_run_keeps_nothing),
    };
    return cmocka_run_group_tests_name("ctl_life", tests, nullptr, nullptr);
}
