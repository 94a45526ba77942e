// pam_pandora/login_key: SSH_AUTH_INFO_0 as OpenSSH writes it, and as it should never be.
#include "tests/unit/support.h"

#include "lib/base/sha256.h"
#include "pam_pandora/login_key.h"

using namespace gate;
using namespace gate::pam;

namespace {

// The bytes 0 to 31 as a public key: `ssh-keygen -lf` of it gives the fingerprint below.
constexpr std::string_view k_key =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

std::string fingerprint(const AuthInfo& info) {
    return info.fingerprint ? keyring::format_fingerprint(*info.fingerprint) : "";
}

void one_key() {
    const AuthInfo info = parse_auth_info("publickey " + std::string(k_key) + "\n");
    CHECK_EQ(info.methods, "publickey");
    CHECK_EQ(info.keys, 1U);
    CHECK_EQ(fingerprint(info), "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA");
    CHECK_EQ(fingerprint(parse_auth_info("publickey " + std::string(k_key))), fingerprint(info));
}

void several_methods_keep_their_order_and_the_first_key_counts() {
    const AuthInfo info = parse_auth_info("password\npublickey " + std::string(k_key) +
                                          "\npublickey ssh-rsa AAAA\nkeyboard-interactive/pam\n");
    CHECK_EQ(info.methods, "password,publickey,publickey,keyboard-interactive/pam");
    CHECK_EQ(info.keys, 2U);
    CHECK_EQ(fingerprint(info), "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA");
}

// The second may be good: it is not the first one's stead.
void a_first_key_that_cannot_be_read_is_not_replaced_by_the_second() {
    for (const char* first : {"publickey\n", "publickey ssh-ed25519 !!!\n"}) {
        const AuthInfo info = parse_auth_info(first + ("publickey " + std::string(k_key) + "\n"));
        CHECK_EQ(info.keys, 2U);
        CHECK(fingerprint(info).empty());
    }
}

void no_key_no_fingerprint() {
    for (const char* text :
         {"", "\n", "\n\n\n", "password", "password\n", "none", "publickey", "publickey ",
          "publickey ssh-ed25519", "publickey ssh-ed25519 ", "publickey ssh-ed25519 A",
          "publickey ssh-ed25519 AAA", "publickey ssh-ed25519 !!!!", "publickey ssh-ed25519 AAAA AAAA",
          "Publickey ssh-ed25519 AAAA", " publickey a AAAA"})
        CHECK_MSG(fingerprint(parse_auth_info(text)).empty(), text);
}

void long_input_is_capped() {
    const std::string key = "publickey ssh-rsa " + std::string(100'000, 'A');
    CHECK(fingerprint(parse_auth_info(key)).empty());
    std::string many;
    for (int i = 0; i < 10'000; ++i)
        many += "password\n";
    CHECK(parse_auth_info(many).methods.size() <= 64);
    CHECK_EQ(parse_auth_info(std::string(1000, 'x')).methods, "");
}

void random_bytes_are_survived() {
    auto random = test::seeded();
    for (int i = 0; i < 20'000; ++i) {
        std::string text = i % 2 == 0 ? "publickey " : "";
        for (auto n = random() % 60; n > 0; --n)
            text += "\n \0Aa=/+publickey"[random() % 18];
        static_cast<void>(parse_auth_info(text));
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {GATE_TEST(one_key),
                                GATE_TEST(several_methods_keep_their_order_and_the_first_key_counts),
                                GATE_TEST(a_first_key_that_cannot_be_read_is_not_replaced_by_the_second),
                                GATE_TEST(no_key_no_fingerprint),
                                GATE_TEST(long_input_is_capped),
                                GATE_TEST(random_bytes_are_survived)};
    return cmocka_run_group_tests_name("pam_login_key", tests, nullptr, nullptr);
}
