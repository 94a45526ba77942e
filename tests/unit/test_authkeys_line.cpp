// authkeys, piece by piece: its arguments, the rule about its own ids, the line it composes, the event it
// sends.
#include "tests/unit/support_keyring.h"

#include "authkeys_cmd/answer.h"
#include "authkeys_cmd/line.h"
#include "authkeys_cmd/process.h"
#include "authkeys_cmd/report.h"
#include "authkeys_cmd/request.h"
#include "authkeys_cmd/status.h"

#include <initializer_list>
#include <set>
#include <vector>

using namespace gate;
using namespace gate::authkeys;

namespace {

constexpr const char* k_fp = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";

[[nodiscard]] Result<Request> parse(std::initializer_list<const char*> arguments) {
    std::vector<const char*> argv{"authkeys"};
    argv.insert(argv.end(), arguments);
    return parse_request(static_cast<int>(argv.size()), argv.data());
}

void the_arguments_are_a_user_and_a_fingerprint() {
    const auto r = parse({"pandora", k_fp});
    CHECK_OK(r);
    CHECK_EQ(r->user, "pandora");
    CHECK_EQ(r->fingerprint, k_fp);
    CHECK_EQ(std::string_view(r->keyring), std::string_view(keyring::k_default_path));
    CHECK_EQ(r->owner, 0U);
    CHECK_EQ(std::string_view(r->state), "/run/pandora-gate/authkeys");
}

void options_come_first() {
    const auto r = parse({"--owner", "1000", "--state", "/s", "--keyring", "/x", "pandora", k_fp});
    CHECK_OK(r);
    CHECK_EQ(std::string_view(r->keyring), "/x");
    CHECK_EQ(r->owner, 1000U);
    CHECK_EQ(std::string_view(r->state), "/s");
    CHECK_EQ(r->user, "pandora");
}

void other_arguments_are_refused() {
    CHECK_ERR(parse({}), Errc::bad_input);
    CHECK_ERR(parse({"pandora"}), Errc::bad_input);
    CHECK_ERR(parse({"pandora", k_fp, "more"}), Errc::bad_input);
    CHECK_ERR(parse({"", k_fp}), Errc::bad_input);
    CHECK_ERR(parse({"pandora", k_fp, "--keyring", "/x"}), Errc::bad_input);
    CHECK_ERR(parse({"--keyring", "/x"}), Errc::bad_input);
    CHECK_ERR(parse({"--keyring"}), Errc::bad_input);
    CHECK_ERR(parse({"--key", "/x", "pandora", k_fp}), Errc::bad_input);
    CHECK_ERR(parse({"--", "pandora", k_fp}), Errc::bad_input);
    for (const char* uid : {"", "-1", "root", "4294967295", "4294967296", "1x"})
        CHECK_ERR(parse({"--owner", uid, "pandora", k_fp}), Errc::bad_input);
}

void root_in_any_place_is_refused() {
    const uid_t plain[] = {100, 100, 100};
    const gid_t groups[] = {100, 100, 100, 4, 27};
    CHECK_OK(check_ids(plain, groups));
    CHECK_OK(check_ids(plain, {}));
    for (std::size_t i = 0; i < 3; ++i) {
        uid_t uids[] = {100, 100, 100};
        uids[i] = 0;
        CHECK_ERR(check_ids(uids, groups), Errc::denied);
    }
    for (std::size_t i = 0; i < 5; ++i) {
        gid_t gids[] = {100, 100, 100, 4, 27};
        gids[i] = 0;
        CHECK_ERR(check_ids(plain, gids), Errc::denied);
    }
}

[[nodiscard]] keyring::KeyRecord key_of_type(std::string_view type) {
    auto random = test::seeded();
    keyring::KeyRecord key = test::make_key(0, random);
    key.type = type;
    key.blob = test::make_blob(type, random);
    return key;
}

void the_line_is_what_sshd_expects() {
    keyring::KeyRecord key = key_of_type("ssh-ed25519");
    key.id = "agent-7.Key_1";
    const auto line = compose_line(key, Expiry::told);
    CHECK_OK(line);
    CHECK_EQ(*line, "restrict ssh-ed25519 " + base64_encode(as_bytes(key.blob)) + " agent-7.Key_1\n");
    CHECK(line->starts_with("restrict ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"));
}

void every_listed_type_is_served_and_no_other() {
    for (const std::string_view type :
         {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa",
          "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"})
        CHECK_OK(compose_line(key_of_type(type), Expiry::told));
    for (const std::string_view type :
         {"", "ssh-dss", "ssh-ed25519 ", "ssh-ed25519\n", "SSH-RSA", "rsa-sha2-512",
          "ssh-ed25519-cert-v01@openssh.com", "command=\"id\" ssh-rsa"})
        CHECK_ERR(compose_line(key_of_type(type), Expiry::told), Errc::bad_input);
}

void a_blob_of_another_type_is_not_served() {
    keyring::KeyRecord key = key_of_type("ssh-ed25519");
    key.blob = key_of_type("ssh-rsa").blob;
    CHECK_ERR(compose_line(key, Expiry::told), Errc::bad_input);
    for (const std::string& blob :
         {std::string(), std::string("\0\0\0", 3), std::string("\0\0\0\x0bssh-ed2551", 14),
          std::string("\xff\xff\xff\xffssh-ed25519", 15), std::string("ssh-ed25519")}) {
        key.blob = blob;
        CHECK_ERR(compose_line(key, Expiry::told), Errc::bad_input);
    }
}

void a_key_id_holds_plain_characters_only() {
    for (unsigned u = 0; u < 256; ++u) {
        const char c = static_cast<char>(static_cast<unsigned char>(u));
        const bool plain = (u >= '0' && u <= '9') || (u >= 'A' && u <= 'Z') || (u >= 'a' && u <= 'z') ||
                           u == '.' || u == '_' || u == '-';
        CHECK_EQ(plain_id(std::string("k") + c + "1"), plain);
    }
    CHECK(!plain_id(""));
    CHECK(plain_id(std::string(64, 'k')));
    CHECK(!plain_id(std::string(65, 'k')));
    keyring::KeyRecord key = key_of_type("ssh-ed25519");
    key.id = "k1\nssh-rsa AAAA";
    CHECK_ERR(compose_line(key, Expiry::told), Errc::bad_input);
}

void addresses_and_the_end_are_options_of_the_same_word() {
    keyring::KeyRecord key = key_of_type("ssh-ed25519");
    const std::string rest = " ssh-ed25519 " + base64_encode(as_bytes(key.blob)) + " k0\n";
    const auto line = [&](Expiry expiry = Expiry::told) { return compose_line(key, expiry).value(); };
    key.from = {"192.0.2.7"};
    CHECK_EQ(line(), "restrict,from=\"192.0.2.7\"" + rest);
    key.from = {"192.0.2.0/24", "2001:db8::/32", "::1"};
    CHECK_EQ(line(), "restrict,from=\"192.0.2.0/24,2001:db8::/32,::1\"" + rest);
    key.expires_at = 1'798'761'600;
    CHECK_EQ(line(),
             "restrict,from=\"192.0.2.0/24,2001:db8::/32,::1\",expiry-time=\"20270101000000Z\"" + rest);
    CHECK_EQ(line(Expiry::untold), "restrict,from=\"192.0.2.0/24,2001:db8::/32,::1\"" + rest);
    key.from.clear();
    key.expires_at = 951'868'799; // a leap day
    CHECK_EQ(line(), "restrict,expiry-time=\"20000229235959Z\"" + rest);
    CHECK_EQ(line(Expiry::untold), "restrict" + rest);
    key.not_before = 1; // sshd knows nothing of it
    CHECK_EQ(line(Expiry::untold), "restrict" + rest);
}

void the_end_is_in_utc_wherever_the_server_is() {
    keyring::KeyRecord key = key_of_type("ssh-ed25519");
    key.expires_at = 1'798'761'600;
    for (const char* zone : {"XXX-9", "XXX+11:30", "UTC0"}) {
        CHECK(::setenv("TZ", zone, 1) == 0);
        ::tzset();
        CHECK(compose_line(key, Expiry::told)->find("\"20270101000000Z\"") != std::string::npos);
    }
    ::unsetenv("TZ");
    ::tzset();
}

void an_end_that_sshd_cannot_be_told_is_no_line() {
    keyring::KeyRecord key = key_of_type("ssh-ed25519");
    key.expires_at = 253'402'300'799;
    CHECK(compose_line(key, Expiry::told)->find("\"99991231235959Z\"") != std::string::npos);
    for (const std::int64_t end :
         {std::int64_t{253'402'300'800}, std::int64_t{INT64_MAX}, std::int64_t{-1}}) {
        key.expires_at = end;
        CHECK_ERR(compose_line(key, Expiry::told), Errc::bad_input);
        CHECK_OK(compose_line(key, Expiry::untold));
    }
}

void only_addresses_and_whole_networks_are_let_into_from() {
    for (const char* good :
         {"0.0.0.0", "192.0.2.7", "192.0.2.7/32", "192.0.2.6/31", "192.0.2.0/24", "10.0.0.0/8", "128.0.0.0/1",
          "0.0.0.0/0", "::", "::/0", "::1", "::1/128", "2001:db8::/32", "2001:DB8::/32",
          "2001:db8:0:0:8000::/65", "fe80::1", "::ffff:192.0.2.7", "::ffff:192.0.2.0/120",
          "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"})
        CHECK_MSG(is_network(good), good);
    for (const char* bad : {"",
                            "/",
                            "/8",
                            "192.0.2.7/",
                            "192.0.2.7/33",
                            "192.0.2.7/31",
                            "192.0.2.1/24",
                            "192.0.2.0/23 ",
                            "10.0.0.1/8",
                            "192.0.2.0/024",
                            "192.0.2.0/+24",
                            "192.0.2.0/-1",
                            "192.0.2.0/24/24",
                            "192.0.2.0/0x18",
                            "192.0.2",
                            "192.0.2.256",
                            "1.0.0.0/0",
                            "192.0.2.7 ",
                            " 192.0.2.7",
                            "192.0.2.*",
                            "192.0.2.0/255.255.255.0",
                            "::1/129",
                            "::1/127",
                            "::1/0",
                            "2001:db8::1/32",
                            "fe80::1%eth0",
                            "fe80::%1/64",
                            "[::1]",
                            "::1/128/1",
                            ":::",
                            "1::2::3",
                            "host",
                            "a.example",
                            "abc",
                            "*",
                            "!192.0.2.7",
                            "192.0.2.7,192.0.2.8",
                            "192.0.2.7\"",
                            "192.0.2.7\n",
                            "192.0.2.0/4294967320",
                            "0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0",
                            "192.0.2.0/99999999999999999999"})
        CHECK_MSG(!is_network(bad), bad);
    CHECK(!is_network(std::string_view("192.0.2.7\0", 10)));
    CHECK(!is_network(std::string_view("::1\0/128", 8)));
    // No byte but those an address is made of.
    for (unsigned u = 0; u < 256; ++u) {
        const char c = static_cast<char>(static_cast<unsigned char>(u));
        if ((u >= '0' && u <= '9') || (u >= 'a' && u <= 'f') || (u >= 'A' && u <= 'F') || u == ':')
            continue;
        CHECK_MSG(!is_network(std::string("2001:db") + c + "::"), std::to_string(u));
        CHECK_MSG(u == '.' || !is_network(std::string("192.0") + c + "2.7"), std::to_string(u));
    }
}

void a_key_with_one_bad_network_is_not_served_at_all() {
    keyring::KeyRecord key = key_of_type("ssh-ed25519");
    key.from = {"192.0.2.0/24"};
    CHECK_OK(compose_line(key, Expiry::told));
    for (const char* bad : {"192.0.2.1/24", "", "a.example", "::1\",command=\"id"}) {
        key.from = {"192.0.2.0/24", bad, "::1"};
        CHECK_ERR(compose_line(key, Expiry::told), Errc::bad_input);
    }
}

void as_many_networks_as_a_key_may_have_fit_into_a_line() {
    keyring::KeyRecord key = key_of_type("ssh-ed25519");
    for (std::size_t i = 0; i < keyring::k_max_from; ++i)
        key.from.push_back("2001:db8:ffff:ffff:ffff:ffff:ffff:" + std::to_string(1000 + i) + "/128");
    key.expires_at = 1'798'761'600;
    const auto line = compose_line(key, Expiry::told);
    CHECK_OK(line);
    CHECK(line->size() < 8 * 1024); // what an sshd before 7.9 reads of a line
    key.from.emplace_back("192.0.2.7");
    CHECK_ERR(compose_line(key, Expiry::told), Errc::bad_input);
}

void every_status_has_its_own_number_rule_and_remedy() {
    std::set<int> numbers;
    std::set<std::string_view> names;
    for (const StatusText& s : k_statuses) {
        CHECK(numbers.insert(static_cast<int>(s.status)).second);
        CHECK(names.insert(s.name).second);
        CHECK(!s.remedy.empty());
        CHECK(s.status == Status::ok || static_cast<int>(s.status) >= 64);
        CHECK(&describe(s.status) == &s);
    }
}

void no_error_of_the_keyring_looks_like_success() {
    for (int code = 0; code < 64; ++code)
        CHECK(status_of(static_cast<Errc>(code)) != Status::ok);
}

void the_event_carries_what_is_known_and_forges_nothing() {
    Answer a;
    a.status = Status::revoked;
    a.key = "k7";
    a.reason = "the key was revoked";
    a.detail = "stolen \"laptop\"\n";
    a.generation = 12;
    const std::string line = event_line(a, "pan\"dora\n", "SHA256:x", 999'999'999);
    CHECK(line.starts_with("{\"event\":\"key.refused\",\"time\":\""));
    for (const std::string_view part :
         {"-999999999-0\"", "\"user\":\"pan\\\"dora\\u000a\"", "\"fingerprint\":\"SHA256:x\"",
          "\"key\":\"k7\"", "\"reason\":\"the key was revoked\"",
          "\"detail\":\"stolen \\\"laptop\\\"\\u000a\"", "\"rule\":\"key.revoked\"", "\"remedy\":\"",
          "\"status\":77", "\"generation\":12}"})
        CHECK_MSG(line.find(part) != std::string::npos, std::string(part) + " in " + line);

    CHECK(line.find("repeated") == std::string::npos);
    CHECK(event_line(a, "pandora", "SHA256:x", 1, 5).ends_with("\"generation\":12,\"repeated\":5}"));

    Answer served;
    served.status = Status::ok;
    served.tell = Answer::Tell::served;
    served.key = "k8";
    const std::string other = event_line(served, "pandora", "SHA256:y", 1);
    CHECK(other.starts_with("{\"event\":\"key.served\""));
    CHECK(other.find("\"rule\"") == std::string::npos);
}

void a_read_error_names_the_call_s_errno() {
    const Answer a = refuse(Status::system, Error{Errc::system, EACCES, "cannot open file"});
    CHECK(event_line(a, "pandora", k_fp, 1).find("\"error\":\"Permission denied\"") != std::string::npos);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(the_arguments_are_a_user_and_a_fingerprint),
        GATE_TEST(options_come_first),
        GATE_TEST(other_arguments_are_refused),
        GATE_TEST(root_in_any_place_is_refused),
        GATE_TEST(the_line_is_what_sshd_expects),
        GATE_TEST(every_listed_type_is_served_and_no_other),
        GATE_TEST(a_blob_of_another_type_is_not_served),
        GATE_TEST(a_key_id_holds_plain_characters_only),
        GATE_TEST(addresses_and_the_end_are_options_of_the_same_word),
        GATE_TEST(the_end_is_in_utc_wherever_the_server_is),
        GATE_TEST(an_end_that_sshd_cannot_be_told_is_no_line),
        GATE_TEST(only_addresses_and_whole_networks_are_let_into_from),
        GATE_TEST(a_key_with_one_bad_network_is_not_served_at_all),
        GATE_TEST(as_many_networks_as_a_key_may_have_fit_into_a_line),
        GATE_TEST(every_status_has_its_own_number_rule_and_remedy),
        GATE_TEST(no_error_of_the_keyring_looks_like_success),
        GATE_TEST(the_event_carries_what_is_known_and_forges_nothing),
        GATE_TEST(a_read_error_names_the_call_s_errno),
    };
    return cmocka_run_group_tests_name("authkeys_line", tests, nullptr, nullptr);
}
