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
}

void options_come_first() {
    const auto r = parse({"--owner", "1000", "--keyring", "/x", "pandora", k_fp});
    CHECK_OK(r);
    CHECK_EQ(std::string_view(r->keyring), "/x");
    CHECK_EQ(r->owner, 1000U);
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
    const auto line = compose_line(key);
    CHECK_OK(line);
    CHECK_EQ(*line, "restrict ssh-ed25519 " + base64_encode(as_bytes(key.blob)) + " agent-7.Key_1\n");
    CHECK(line->starts_with("restrict ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"));
}

void every_listed_type_is_served_and_no_other() {
    for (const std::string_view type :
         {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa",
          "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"})
        CHECK_OK(compose_line(key_of_type(type)));
    for (const std::string_view type :
         {"", "ssh-dss", "ssh-ed25519 ", "ssh-ed25519\n", "SSH-RSA", "rsa-sha2-512",
          "ssh-ed25519-cert-v01@openssh.com", "command=\"id\" ssh-rsa"})
        CHECK_ERR(compose_line(key_of_type(type)), Errc::bad_input);
}

void a_blob_of_another_type_is_not_served() {
    keyring::KeyRecord key = key_of_type("ssh-ed25519");
    key.blob = key_of_type("ssh-rsa").blob;
    CHECK_ERR(compose_line(key), Errc::bad_input);
    for (const std::string& blob :
         {std::string(), std::string("\0\0\0", 3), std::string("\0\0\0\x0bssh-ed2551", 14),
          std::string("\xff\xff\xff\xffssh-ed25519", 15), std::string("ssh-ed25519")}) {
        key.blob = blob;
        CHECK_ERR(compose_line(key), Errc::bad_input);
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
    CHECK_ERR(compose_line(key), Errc::bad_input);
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
        GATE_TEST(every_status_has_its_own_number_rule_and_remedy),
        GATE_TEST(no_error_of_the_keyring_looks_like_success),
        GATE_TEST(the_event_carries_what_is_known_and_forges_nothing),
        GATE_TEST(a_read_error_names_the_call_s_errno),
    };
    return cmocka_run_group_tests_name("authkeys_line", tests, nullptr, nullptr);
}
