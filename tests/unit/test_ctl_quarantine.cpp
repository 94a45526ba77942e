// The quarantine as an administrator sees it: what is listed and shown, what may be released and where it
// goes, what is purged. As root the account is nobody, and the packets are delivered as nobody; otherwise it
// is me.
#include "tests/unit/test_ctl_quarantine.h"
#include "tests/unit/support.h"

#include "gatectl/publish/publish.h"
#include "gatectl/quarantine/commands.h"
#include "lib/keyring/ftp_sender.h"

#include <cstring>
#include <regex>

using namespace gate;
using namespace gate::test;

namespace {

std::string release(QuarantinePlace& p, const std::vector<std::string>& ids, bool rebind = false) {
    return ctl::release_quarantine(p.context, {.ids = ids, .rebind = rebind});
}

std::string purge(QuarantinePlace& p, const std::vector<std::string>& ids, std::string older_than = {},
                  bool all = false) {
    return ctl::purge_quarantine(p.context, {.ids = ids, .older_than = std::move(older_than), .all = all});
}

void an_empty_quarantine() {
    QuarantinePlace p;
    CHECK_EQ(ctl::list_quarantine(p.context, false), std::string());
    CHECK_EQ(ctl::list_quarantine(p.context, true), std::string("[]\n"));
    CHECK_EQ(p.context.exit_status, 0);
    CHECK_EQ(purge(p, {}), std::string("purged 0 packets\n"));
    std::filesystem::remove(p.quarantine());
    CHECK_EQ(ctl::list_quarantine(p.context, false), std::string());
    CHECK_EQ(purge(p, {}), std::string("purged 0 packets\n"));
    refused(ctl::Status::refused, "there is no packet \"x\"", [&] { static_cast<void>(release(p, {"x"})); });
    refused(ctl::Status::refused, "there is no packet \"x\"", [&] { static_cast<void>(purge(p, {"x"})); });
}

void what_waits_is_listed_within_80_columns() {
    QuarantinePlace p;
    p.put(k_first, {.key = std::string(64, 'k'), .reason = "content.complex"}, std::string(65'000'000, 'x'));
    p.put(k_second, {.key = "web01-711e0d", .reason = "agent.mismatch"}, "<agent_data/>");
    // However long the second packet took to write.
    const std::string out =
        std::regex_replace(ctl::list_quarantine(p.context, false), std::regex("  [0-9]s "), "  0s ");
    CHECK_EQ(p.context.exit_status, 3);
    CHECK_EQ(out, std::string("ID                                 AGE    SIZE   REASON           KEY\n") +
                      k_first + "  0s     65M    content.complex  kkkkkkkkkkkkk...\n" + k_second +
                      "  0s     13     agent.mismatch   web01-711e0d\n");
    const std::string json = ctl::list_quarantine(p.context, true);
    CHECK(contains(json, fmt::format("\"quarantine\": \"{}\"", k_second)));
    CHECK(contains(json, "\"reason\": \"agent.mismatch\""));
}

void a_packet_without_sidecar_is_listed_and_stays() {
    QuarantinePlace p;
    p.put(k_first, {}, "<agent_data/>");
    CHECK_EQ(::unlink((p.quarantine() + "/" + k_first + ".json").c_str()), 0);
    CHECK(contains(ctl::list_quarantine(p.context, false), "(no sidecar)     -\n"));
    CHECK(contains(ctl::show_quarantine(p.context, {.id = k_first}), "sidecar      missing or damaged"));
    refused(ctl::Status::refused, "has no sidecar", [&] { static_cast<void>(release(p, {k_first})); });
    write_file(p.quarantine() + "/" + k_first + ".json", "{\"event\":\"drop.accepted\"}");
    refused(ctl::Status::refused, "or a damaged one", [&] { static_cast<void>(release(p, {k_first})); });
    write_file(p.quarantine() + "/" + k_first + ".json", std::string(9000, '['));
    refused(ctl::Status::refused, "or a damaged one", [&] { static_cast<void>(release(p, {k_first})); });
    CHECK_EQ(purge(p, {k_first}), std::string("purged 1 packet, 13 bytes\n"));
    CHECK(p.is_empty());
}

void what_is_shown_is_escaped() {
    QuarantinePlace p;
    const std::string packet = "<agent_data agent_name='x\x1b[2J'>\n" + std::string(300, 'a') + "\n";
    p.put(k_first, {.file = "se\xc3\xb1or.1.data", .reason = "agent.mismatch", .agent = "x\x1b"}, packet);
    const std::string out = ctl::show_quarantine(p.context, {.id = "20261124"}); // a beginning is enough
    CHECK(contains(out, fmt::format("path         {}/{}.packet\n", p.quarantine(), k_first)));
    CHECK(contains(out, "file         se\\xc3\\xb1or.1.data\n"));
    CHECK(contains(out, "agent in it  x\\x1b\n"));
    CHECK(contains(out, "packet\n  <agent_data agent_name='x\\x1b[2J'>\n  aaa"));
    CHECK(contains(out, "aaa...\n"));
    CHECK(out.find('\x1b') == std::string::npos);
    CHECK_EQ(ctl::show_quarantine(p.context, {.id = k_first, .raw = true}), packet);
    const std::string json = ctl::show_quarantine(p.context, {.id = k_first, .json = true});
    CHECK(contains(json, "\"file\": \"se\\u00c3\\u00b1or.1.data\""));
    CHECK(contains(json, "\"path\": \"/"));
    refused(ctl::Status::usage, "--raw", [&] {
        static_cast<void>(ctl::show_quarantine(p.context, {.id = k_first, .json = true, .raw = true}));
    });
    p.put(k_second, {}, "x");
    refused(ctl::Status::refused, "could be any of 2 packets",
            [&] { static_cast<void>(ctl::show_quarantine(p.context, {.id = "2026"})); });
}

void a_released_packet_is_in_data_in_and_nowhere_else() {
    QuarantinePlace p;
    const std::string packet = "<agent_data agent_name='web01'></agent_data>";
    p.put(k_first, {.file = "web01.17.data", .reason = "content.root"}, packet);
    p.prepare_all(); // sets the sum
    CHECK_EQ(p.usage().packets, std::uint64_t{1});
    CHECK_EQ(release(p, {k_first}), fmt::format("released {} as web01.17.data\n", k_first));
    CHECK_EQ(read_file(p.data_in() + "/web01.17.data"), packet);
    struct stat st {};
    CHECK_EQ(::stat((p.data_in() + "/web01.17.data").c_str(), &st), 0);
    CHECK_EQ(st.st_uid, p.account().uid);
    CHECK_EQ(st.st_mode & 07777, mode_t{0660});
    CHECK(p.is_empty());
    CHECK_EQ(p.usage().packets, std::uint64_t{0});
    CHECK_EQ(p.usage().bytes, std::uint64_t{0});
    refused(ctl::Status::refused, "there is no packet", [&] { static_cast<void>(release(p, {k_first})); });
}

void a_name_that_is_taken_is_extended() {
    QuarantinePlace p;
    write_file(p.data_in() + "/web01.17.data", "earlier");
    p.put(k_first, {.file = "web01.17.data", .reason = "content.root"}, packet_of("web01"));
    const std::string out = release(p, {k_first});
    CHECK(contains(out, " as web01.17"));
    CHECK(!contains(out, " as web01.17.data"));
    CHECK_EQ(read_file(p.data_in() + "/web01.17.data"), std::string("earlier"));
}

void only_the_rule_that_failed_is_overruled() {
    QuarantinePlace p;
    // For its content; its key may not send for that agent either.
    p.put(k_first, {.file = "other.1.data", .reason = "content.root"}, "<agent_data/>");
    refused(ctl::Status::refused, "also for another reason than content.root: this key may not send",
            [&] { static_cast<void>(release(p, {k_first})); });
    // For the binding: its name is still held against the form.
    for (const char* name : {"../x.1.data", "x.conf", "web01.1.checksum", ".x.1.data", ""}) {
        p.put(k_second, {.file = name, .reason = "agent.mismatch"}, packet_of("other"));
        refused(ctl::Status::refused, "may not be delivered, also for another reason",
                [&] { static_cast<void>(release(p, {k_second})); });
    }
    p.put(k_second, {.file = "other.1.data", .reason = "agent.mismatch"}, "<agent_data agent_name='other'/>");
    CHECK(contains(release(p, {k_second}), " as other.1.data"));
    CHECK(!p.is_empty());
}

void a_packet_of_a_key_that_is_gone() {
    QuarantinePlace p;
    p.put(k_first, {.fingerprint = k_rsa2048.fingerprint, .file = "x.1.data", .reason = "content.root"},
          "<a/>");
    refused(ctl::Status::refused, "does not know any more",
            [&] { static_cast<void>(release(p, {k_first})); });
    p.put(k_second, {.file = "web01.1.data", .reason = "content.root"}, packet_of("web01"));
    static_cast<void>(ctl::revoke_key(p.context, "web01", "lost"));
    CHECK(contains(release(p, {k_second}), "released"));
}

// A user who sends by FTP needs no row in the store; only his own fingerprint says that it was him.
void a_packet_of_a_user_without_a_row() {
    QuarantinePlace p;
    const std::string bob = keyring::format_fingerprint(keyring::ftp_sender("bob").fingerprint);
    p.put(k_first, {.key = "ftp:alice", .fingerprint = bob, .file = "x.1.data", .reason = "content.root"},
          "<a/>");
    refused(ctl::Status::refused, "does not know any more",
            [&] { static_cast<void>(release(p, {k_first})); });
    p.put(k_second,
          {.key = "ftp:bob",
           .fingerprint = bob,
           .file = "web01.1.data",
           .reason = "content.root",
           .agent = "web01"},
          packet_of("web01"));
    refused(ctl::Status::refused, "keys add --ftp bob",
            [&] { static_cast<void>(release(p, {k_second}, true)); });
    CHECK(contains(release(p, {k_second}), "released"));
    CHECK(::access((p.data_in() + "/web01.1.data").c_str(), F_OK) == 0);
    // With one, it says what he may send.
    static_cast<void>(ctl::add_key(
        p.context, {.key = {}, .agents = {"db01"}, .note = {}, .id = {}, .binding = {}, .ftp_user = "bob"}));
    p.put(k_second,
          {.key = "ftp:bob",
           .fingerprint = bob,
           .file = "web01.2.data",
           .reason = "content.root",
           .agent = "web01"},
          packet_of("web01"));
    refused(ctl::Status::refused, "agent.name", [&] { static_cast<void>(release(p, {k_second})); });
    p.put(k_second,
          {.key = "ftp:bob",
           .fingerprint = bob,
           .file = "web01.2.data",
           .reason = "agent.mismatch",
           .agent = "web01"},
          packet_of("web01"));
    CHECK(contains(release(p, {k_second}, true), "bound ftp:bob to agent \"db01\", \"web01\""));
}

void a_packet_that_was_changed_is_not_released() {
    QuarantinePlace p;
    p.put(k_first, {.file = "web01.1.data", .reason = "content.root"}, "<agent_data/>");
    write_file(p.quarantine() + "/" + k_first + ".packet", "<agent_dataX/>");
    refused(ctl::Status::bad_data, "is not what was received",
            [&] { static_cast<void>(release(p, {k_first})); });
    // Another name of a file, or a link, is no packet.
    const std::string packet = p.quarantine() + "/" + k_first + ".packet";
    CHECK_EQ(::link(packet.c_str(), (p.dir / "second").c_str()), 0);
    refused(ctl::Status::io, "several names", [&] { static_cast<void>(release(p, {k_first})); });
    CHECK_EQ(::unlink(packet.c_str()), 0);
    CHECK_EQ(::symlink("/etc/passwd", packet.c_str()), 0);
    refused(ctl::Status::io, "symbolic link", [&] { static_cast<void>(release(p, {k_first})); });
    refused(ctl::Status::io, "symbolic link",
            [&] { static_cast<void>(ctl::show_quarantine(p.context, {.id = k_first, .raw = true})); });
    CHECK_EQ(purge(p, {k_first}), std::string("purged 1 packet, 0 bytes\n"));
}

void a_release_may_bind_the_agent() {
    QuarantinePlace p;
    const std::uint64_t before = p.header().generation;
    p.put(k_first, {.file = "db01.1.data", .reason = "agent.mismatch", .agent = "db01"}, packet_of("db01"));
    p.put(k_second, {.file = "db02.1.data", .reason = "agent.mismatch", .agent = "db02"}, packet_of("db02"));
    const std::string out = release(p, {k_first, k_second, k_first}, true);
    CHECK(contains(out, "bound web01-711e0d to agent \"web01\", \"db01\", \"db02\"\n"));
    CHECK(contains(out, " as db01.1.data\n"));
    CHECK(contains(out, " as db02.1.data\n"));
    CHECK_EQ(p.header().generation, before + 1);
    CHECK_EQ(p.find(k_ed25519)->agents.size(), std::size_t{3});
    CHECK(p.is_empty());
}

void what_cannot_be_bound_is_not_released() {
    QuarantinePlace p;
    const std::uint64_t before = p.header().generation;
    for (const char* agent : {"*", "db*", "a/b", ""}) {
        p.put(k_first, {.file = "db01.1.data", .reason = "agent.mismatch", .agent = agent},
              packet_of("db01"));
        refused(ctl::Status::refused, *agent == '\0' ? "names no agent" : "cannot be bound",
                [&] { static_cast<void>(release(p, {k_first}, true)); });
    }
    p.put(k_first, {.file = "db01.1.data", .reason = "agent.mismatch", .agent = "db01"}, packet_of("db01"));
    static_cast<void>(ctl::revoke_key(p.context, "web01", "lost"));
    refused(ctl::Status::refused, "is revoked", [&] { static_cast<void>(release(p, {k_first}, true)); });
    CHECK(!p.is_empty());
    CHECK_EQ(p.header().generation, before + 1);
}

void what_cannot_be_released_binds_nothing() {
    QuarantinePlace p;
    const std::uint64_t before = p.header().generation;
    p.put(k_first, {.file = "db01.1.data", .reason = "agent.mismatch", .agent = "db01"}, packet_of("db01"));
    p.put(k_second, {.file = "db02.1.data", .reason = "agent.mismatch", .agent = "db02"}, packet_of("db02"));
    write_file(p.quarantine() + "/" + k_second + ".packet", packet_of("db03"));
    refused(ctl::Status::bad_data, "is not what was received", [&] {
        static_cast<void>(release(p, {k_first, k_second}, true));
    });
    CHECK_EQ(p.header().generation, before);
    CHECK_EQ(p.find(k_ed25519)->agents.size(), std::size_t{1});
    CHECK(std::filesystem::is_empty(p.data_in()));
}

void several_at_once_and_one_that_fails() {
    QuarantinePlace p;
    p.put(k_first, {.file = "other.1.data", .reason = "content.root"}, "<agent_data/>");
    p.put(k_second, {.file = "web01.1.data", .reason = "content.root"}, packet_of("web01"));
    CHECK_EQ(release(p, {k_first, k_second}), fmt::format("released {} as web01.1.data\n", k_second));
    CHECK_EQ(p.context.exit_status, 1);
    CHECK(contains(p.context.remarks.back(), "may not be delivered"));
}

void a_delivery_that_fails_keeps_the_packet() {
    QuarantinePlace p;
    p.put(k_first, {.file = "web01.1.data", .reason = "content.root"}, packet_of("web01"));
    std::filesystem::remove_all(p.data_in());
    refused(ctl::Status::io, "it could not be delivered: data_in or the staging directory is missing",
            [&] { static_cast<void>(release(p, {k_first})); });
    CHECK(!p.is_empty());
}

void nothing_goes_before_its_time() {
    QuarantinePlace p;
    p.put(k_first, {}, "old");
    p.put(k_second, {}, "young");
    p.make_old(k_first, 31 * 86'400);
    CHECK_EQ(purge(p, {}, "32d"), std::string("purged 0 packets\n"));
    CHECK_EQ(purge(p, {}), std::string("purged 1 packet, 3 bytes\n"));
    CHECK_EQ(purge(p, {}), std::string("purged 0 packets\n"));
    CHECK_EQ(p.usage().packets, std::uint64_t{1});
    p.make_old(k_second, -7200); // the clock was set back
    CHECK_EQ(purge(p, {}, "1h"), std::string("purged 0 packets\n"));
    p.make_old(k_second, 7200);
    CHECK_EQ(purge(p, {}, "1h"), std::string("purged 1 packet, 5 bytes\n"));
    p.put(k_first, {}, "1");
    p.put(k_second, {}, "2");
    CHECK_EQ(purge(p, {k_second}), std::string("purged 1 packet, 1 bytes\n"));
    CHECK_EQ(purge(p, {}, {}, true), std::string("purged 1 packet, 1 bytes\n"));
    CHECK(p.is_empty());
    refused(ctl::Status::usage, "say which", [&] { static_cast<void>(purge(p, {"x"}, "1d")); });
    refused(ctl::Status::usage, "say which", [&] { static_cast<void>(purge(p, {}, "1d", true)); });
    refused(ctl::Status::usage, "--older-than", [&] { static_cast<void>(purge(p, {}, "1 day")); });
}

void sidecars_that_stayed_alone_go_silently() {
    QuarantinePlace p;
    for (const char* id : {k_first, k_second}) {
        p.put(id, {}, "x");
        CHECK_EQ(::unlink((p.quarantine() + "/" + id + ".packet").c_str()), 0);
    }
    p.make_old(k_first, 120);
    CHECK_EQ(ctl::list_quarantine(p.context, false), std::string());
    CHECK_EQ(p.context.exit_status, 0);
    CHECK_EQ(purge(p, {}, {}, true), std::string("purged 0 packets\n"));
    CHECK(::access((p.quarantine() + "/" + k_first + ".json").c_str(), F_OK) != 0);
    CHECK(::access((p.quarantine() + "/" + k_second + ".json").c_str(), F_OK) == 0); // its packet may come
}

void texts_of_sidecars_are_bytes() {
    CHECK(ctl::bytes_of_latin1("a\xc3\xa9\xc2\x80\xc3\xbf") == "a\xe9\x80\xff");
    for (const char* bad : {"\xc4\x80", "\xe2\x82\xac", "\xc3", "\xff", "\xc3\x28"})
        CHECK(!ctl::bytes_of_latin1(bad));
    CHECK(!ctl::parse_sidecar(""));
    CHECK(!ctl::parse_sidecar("[]"));
    CHECK(!ctl::parse_sidecar("{\"event\":7}"));
    CHECK(!ctl::parse_sidecar("{\"event\":\"drop.quarantined\",\"file\":7}"));
    CHECK(!ctl::parse_sidecar("{\"event\":\"drop.quarantined\",\"file\":\"\\u20ac\"}"));
    const auto facts = ctl::parse_sidecar(
        "{\"event\":\"drop.quarantined\",\"file\":\"\\u00e9\",\"bytes\":-1,\"new\":[{}],\"why\":\"x\"}");
    CHECK(facts.has_value());
    CHECK_EQ(facts->file, std::string("\xe9"));
    CHECK_EQ(facts->bytes, std::uint64_t{0});
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(an_empty_quarantine),
        GATE_TEST(what_waits_is_listed_within_80_columns),
        GATE_TEST(a_packet_without_sidecar_is_listed_and_stays),
        GATE_TEST(what_is_shown_is_escaped),
        GATE_TEST(a_released_packet_is_in_data_in_and_nowhere_else),
        GATE_TEST(a_name_that_is_taken_is_extended),
        GATE_TEST(only_the_rule_that_failed_is_overruled),
        GATE_TEST(a_packet_of_a_key_that_is_gone),
        GATE_TEST(a_packet_of_a_user_without_a_row),
        GATE_TEST(a_packet_that_was_changed_is_not_released),
        GATE_TEST(a_release_may_bind_the_agent),
        GATE_TEST(what_cannot_be_bound_is_not_released),
        GATE_TEST(what_cannot_be_released_binds_nothing),
        GATE_TEST(several_at_once_and_one_that_fails),
        GATE_TEST(a_delivery_that_fails_keeps_the_packet),
        GATE_TEST(nothing_goes_before_its_time),
        GATE_TEST(sidecars_that_stayed_alone_go_silently),
        GATE_TEST(texts_of_sidecars_are_bytes),
    };
    return cmocka_run_group_tests_name("ctl_quarantine", tests, nullptr, nullptr);
}
