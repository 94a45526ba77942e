// lib/keyring: records, policy and fingerprints come back as they went in; what is cut or new is an error.
#include "tests/unit/support_keyring.h"

#include "lib/keyring/tlv.h"

#include <set>

using namespace gate;
using namespace gate::keyring;

namespace {

constexpr std::uint16_t k_unknown_tag = 60'000;

[[nodiscard]] KeyRecord full_record() {
    auto random = test::seeded();
    KeyRecord key = test::make_key(3, random);
    key.agents.push_back({"another one", std::string(32, 'b')});
    key.agents.push_back({"*", std::string(32, 'c')});
    key.not_before = 1'700'000'000;
    key.expires_at = INT64_MAX;
    key.from = {"192.0.2.0/24", "2001:db8::/32"};
    key.limits = {.quota_files = UINT32_MAX, .quota_bytes = UINT64_MAX, .max_file_size = 1};
    key.fingerprint = {}; // travels outside of the payload
    return key;
}

void a_record_round_trips() {
    const KeyRecord key = full_record();
    const auto back = decode_record(encode_record(key));
    CHECK_OK(back);
    CHECK(*back == key);
}

void what_a_key_may_do_now() {
    constexpr std::int64_t k_begin = 1000;
    constexpr std::int64_t k_end = 2000;
    KeyRecord key;
    key.state = KeyState::active;
    CHECK(standing(key, 0) == Standing::good);
    key.not_before = k_begin;
    key.expires_at = k_end;
    CHECK(standing(key, k_begin - 1) == Standing::not_yet);
    CHECK(standing(key, k_begin) == Standing::good);
    CHECK(standing(key, k_end - 1) == Standing::good);
    CHECK(standing(key, k_end) == Standing::expired);
    key.state = KeyState::disabled;
    CHECK(standing(key, k_begin) == Standing::disabled);
    key.state = KeyState::revoked;
    CHECK(standing(key, k_end) == Standing::revoked);
}

void limits_of_a_key_stand_before_the_policy() {
    const Policy policy;
    CHECK(for_key(policy, {}) == policy);
    const Policy own = for_key(policy, {.quota_files = 1, .quota_bytes = 2, .max_file_size = 3});
    CHECK_EQ(own.quota_files, std::uint32_t{1});
    CHECK_EQ(own.quota_bytes, std::uint64_t{2});
    CHECK_EQ(own.drop_max_file_size, std::uint64_t{3});
}

void a_policy_round_trips() {
    CHECK(decode_policy(encode_policy(Policy{})) == Policy{});
    Policy p;
    p.account_user = "drop-box";
    p.spool_directory = "/srv/data in";
    p.spool_staging = "/srv/staging";
    p.spool_mode = 0640;
    p.spool_durability = Durability::none;
    p.spool_staging_method = StagingMethod::named;
    p.spool_min_free = UINT64_MAX;
    p.spool_min_free_percent = 0;
    p.drop_max_file_size = 1;
    p.drop_idle_timeout = UINT32_MAX;
    p.audit_key_served = true;
    p.keys_expiry_option = false;
    p.keys_rotation = keyring::Rotation::automatic;
    p.ftp_enabled = true;
    p.ftp_directory = "/srv/ftp";
    p.ftp_uid = 17;
    p.ftp_gid = 18;
    p.ftp_incomplete_hold = 19;
    const auto back = decode_policy(encode_policy(p));
    CHECK_OK(back);
    CHECK(*back == p);
}

template<class Decode>
void every_cut_is_an_error(const std::string& whole, Decode decode, const std::set<std::size_t>& complete) {
    for (std::size_t n = 0; n < whole.size(); ++n) {
        const auto got = decode(std::string_view(whole).substr(0, n));
        CHECK_MSG(!got || complete.contains(n), std::to_string(n));
    }
}

// The offsets at which one field ends and the next begins.
[[nodiscard]] std::set<std::size_t> field_ends(const std::string& whole) {
    std::set<std::size_t> out{0};
    std::size_t at = 0;
    for (TlvReader in(whole); !in.done();) {
        const auto field = in.next();
        CHECK_OK(field);
        out.insert(at += 6 + field->value.size());
    }
    return out;
}

void a_cut_inside_a_field_is_an_error() {
    const std::string record = encode_record(full_record());
    every_cut_is_an_error(record, decode_record, field_ends(record));
    const std::string policy = encode_policy(Policy{});
    every_cut_is_an_error(policy, decode_policy, field_ends(policy));
}

void a_record_without_id_type_or_blob_is_damaged() {
    for (const int without : {0, 1, 2}) {
        TlvWriter out;
        const std::uint16_t tags[] = {1, 3, 4};
        for (int i = 0; i < 3; ++i) {
            if (i != without)
                out.bytes(tags[i], "x");
        }
        CHECK_ERR(decode_record(out.take()), Errc::damaged);
    }
    CHECK_ERR(decode_record(""), Errc::damaged);
}

void a_record_that_says_no_state_is_not_active() {
    TlvWriter out;
    for (const std::uint16_t tag : {std::uint16_t{1}, std::uint16_t{3}, std::uint16_t{4}})
        out.bytes(tag, "x");
    const auto back = decode_record(out.take());
    CHECK_OK(back);
    CHECK(back->state != KeyState::active);
}

void what_is_new_is_a_newer_version() {
    TlvWriter extra;
    extra.bytes(k_unknown_tag, "?");
    const std::string more = extra.take();
    CHECK_ERR(decode_record(encode_record(full_record()) + more), Errc::version);
    CHECK_ERR(decode_policy(encode_policy(Policy{}) + more), Errc::version);
    KeyRecord key = full_record();
    key.state = static_cast<KeyState>(9);
    CHECK_ERR(decode_record(encode_record(key)), Errc::version);
    Policy policy;
    policy.spool_durability = static_cast<Durability>(9);
    CHECK_ERR(decode_policy(encode_policy(policy)), Errc::version);
}

void lengths_that_lie_are_errors() {
    for (const std::uint32_t length : {1U, 2U, 0x7fffffffU, 0xffffffffU}) {
        std::string bytes;
        put_int(bytes, std::uint16_t{1});
        put_int(bytes, length);
        CHECK_ERR(decode_record(bytes), Errc::damaged);
        CHECK_ERR(decode_policy(bytes), Errc::damaged);
    }
}

void a_number_of_another_length_or_range_is_damaged() {
    TlvWriter text;
    text.bytes(19, "1"); // spool.mode
    CHECK_ERR(decode_policy(encode_policy(Policy{}) + text.take()), Errc::damaged);
    TlvWriter big;
    big.number(19, std::uint64_t{1} << 32);
    CHECK_ERR(decode_policy(encode_policy(Policy{}) + big.take()), Errc::damaged);
    TlvWriter boolean;
    boolean.number(48, 2); // audit.key_served
    CHECK_ERR(decode_policy(encode_policy(Policy{}) + boolean.take()), Errc::damaged);
}

void a_policy_without_account_or_with_odd_paths_is_damaged() {
    Policy p;
    p.account_user.clear();
    CHECK_ERR(decode_policy(encode_policy(p)), Errc::damaged);
    p = {};
    p.spool_directory = "data_in";
    CHECK_ERR(decode_policy(encode_policy(p)), Errc::damaged);
    p = {};
    p.spool_staging = std::string("/a\0b", 4);
    CHECK_ERR(decode_policy(encode_policy(p)), Errc::damaged);
    p = {};
    p.ftp_directory = "ftp";
    CHECK_ERR(decode_policy(encode_policy(p)), Errc::damaged);
}

void a_policy_with_ftp_has_a_user_for_it() {
    Policy p;
    p.ftp_enabled = true;
    p.ftp_uid = 17;
    p.ftp_gid = 18;
    CHECK_OK(decode_policy(encode_policy(p)));
    for (const std::uint32_t uid : {0U, k_no_ftp_user}) {
        p.ftp_uid = uid;
        CHECK_ERR(decode_policy(encode_policy(p)), Errc::damaged);
    }
    p.ftp_uid = 17;
    p.ftp_gid = k_no_ftp_user;
    CHECK_ERR(decode_policy(encode_policy(p)), Errc::damaged);
}

void an_agent_without_a_name_is_damaged() {
    KeyRecord key = full_record();
    key.agents = {{"", std::string(32, 'a')}};
    CHECK_ERR(decode_record(encode_record(key)), Errc::damaged);
}

// verify() looks at records by check_record(), a login takes them apart: they must agree on what is sound.
void a_record_is_checked_as_it_is_decoded() {
    constexpr int k_rounds = 100'000;
    auto random = test::seeded();
    const std::string whole = encode_record(full_record());
    int sound = 0;
    for (int i = 0; i < k_rounds; ++i) {
        std::string bytes = whole;
        for (std::uint64_t flips = random() % 3; flips-- > 0;)
            bytes[random() % bytes.size()] ^= static_cast<char>(1U << (random() % 8));
        if (random() % 4 == 0)
            bytes.resize(random() % bytes.size());
        const auto decoded = decode_record(bytes);
        const auto checked = check_record(bytes);
        CHECK_EQ(checked.has_value(), decoded.has_value());
        if (!checked) {
            CHECK_EQ(checked.error().code, decoded.error().code);
            continue;
        }
        ++sound;
        CHECK_EQ(checked->id, decoded->id);
        CHECK_EQ(checked->type, decoded->type);
        CHECK_EQ(checked->blob, decoded->blob);
        CHECK_EQ(checked->state, decoded->state);
        CHECK_EQ(checked->networks, decoded->from.size());
    }
    CHECK(sound > k_rounds / 10 && sound < k_rounds);
}

void a_record_is_appended_to_what_is_there() {
    std::string out = "before";
    append_record(out, full_record());
    CHECK_EQ(out, "before" + encode_record(full_record()));
}

void fingerprints_are_those_of_sshd() {
    const std::string_view text = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"; // of nothing
    const auto fp = parse_fingerprint(text);
    CHECK_OK(fp);
    CHECK_EQ(hex_encode(*fp), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK_EQ(format_fingerprint(*fp), text);
    for (const std::string_view bad :
         {"", "SHA256:", "MD5:d4:1d:8c:d9:8f:00:b2:04:e9:80:09:98:ec:f8:42:7e", "%f", "NONE",
          "sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
          "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
          "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV", // bits that encode nothing
          "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuF",
          "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFUAA",
          " SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"}) {
        CHECK_ERR(parse_fingerprint(bad), Errc::bad_input);
        CHECK_MSG(!is_fingerprint(*fp, bad), std::string(bad));
    }
    CHECK(is_fingerprint(*fp, text));
    for (std::size_t i = 0; i < fp->size(); ++i) {
        Fingerprint other = *fp;
        other[i] ^= 1;
        CHECK(!is_fingerprint(other, text));
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(a_record_round_trips),
        GATE_TEST(what_a_key_may_do_now),
        GATE_TEST(limits_of_a_key_stand_before_the_policy),
        GATE_TEST(a_policy_round_trips),
        GATE_TEST(a_cut_inside_a_field_is_an_error),
        GATE_TEST(a_record_without_id_type_or_blob_is_damaged),
        GATE_TEST(a_record_that_says_no_state_is_not_active),
        GATE_TEST(what_is_new_is_a_newer_version),
        GATE_TEST(lengths_that_lie_are_errors),
        GATE_TEST(a_number_of_another_length_or_range_is_damaged),
        GATE_TEST(a_policy_without_account_or_with_odd_paths_is_damaged),
        GATE_TEST(a_policy_with_ftp_has_a_user_for_it),
        GATE_TEST(an_agent_without_a_name_is_damaged),
        GATE_TEST(a_record_is_checked_as_it_is_decoded),
        GATE_TEST(a_record_is_appended_to_what_is_there),
        GATE_TEST(fingerprints_are_those_of_sshd),
    };
    return cmocka_run_group_tests_name("keyring_record", tests, nullptr, nullptr);
}
