// forcecmd/user_auth: the file that names the key of this login.
#include "tests/unit/support.h"

#include "forcecmd/user_auth.h"

using namespace gate;
using drop::is_password_login;
using drop::parse_user_auth;

namespace {

constexpr std::string_view k_line = "publickey ssh-ed25519 aGVsbG8=\n";

void one_key_is_found() {
    for (const std::string_view content :
         {k_line, std::string_view("publickey ssh-ed25519 aGVsbG8="), // without the last newline
          std::string_view("password\npublickey ssh-ed25519 aGVsbG8=\n"),
          std::string_view("publickey ssh-ed25519 aGVsbG8=\nkeyboard-interactive/pam\n"),
          std::string_view("\n\npublickey ssh-ed25519 aGVsbG8=\n\n"),
          std::string_view("publickey ssh-ed25519 aGVsbG8= whatever comes later\n")}) {
        const auto key = parse_user_auth(content);
        CHECK_OK(key);
        CHECK_EQ(key->type, "ssh-ed25519");
        CHECK_EQ(key->blob, "hello");
    }
}

void a_blob_may_hold_every_byte() {
    std::string blob;
    for (unsigned u = 0; u < 256; ++u)
        blob += static_cast<char>(static_cast<unsigned char>(u));
    const auto key = parse_user_auth("publickey x " + base64_encode(as_bytes(blob)) + "\n");
    CHECK_OK(key);
    CHECK_EQ(key->blob, blob);
}

void two_keys_are_refused() {
    CHECK_ERR(parse_user_auth(std::string(k_line) + std::string(k_line)), Errc::bad_input);
    CHECK_ERR(parse_user_auth(std::string(k_line) + "password\npublickey ssh-rsa d29ybGQ=\n"),
              Errc::bad_input);
    CHECK_ERR(parse_user_auth(std::string(k_line) + "publickey broken"), Errc::bad_input);
}

void no_key_is_refused() {
    for (const std::string_view content :
         {"", "\n", "password\n", "keyboard-interactive/pam\npassword\n", "hostbased x\n",
          "gssapi-with-mic user@REALM\n", "none\n", "publickey", "publickey\n",
          "publickey-hostbound ssh-ed25519 aGVsbG8=\n", " publickey ssh-ed25519 aGVsbG8=\n",
          "PUBLICKEY ssh-ed25519 aGVsbG8=\n", "xpublickey ssh-ed25519 aGVsbG8=\n",
          "password publickey ssh-ed25519 aGVsbG8=\n"})
        CHECK_MSG(!parse_user_auth(content), escape_visible(content));
}

void a_malformed_key_is_refused() {
    for (const std::string_view content :
         {"publickey ", "publickey \n", "publickey ssh-ed25519", "publickey ssh-ed25519 \n",
          "publickey ssh-ed25519 aGVsbG8\n", "publickey ssh-ed25519 aGVsbG8==\n",
          "publickey ssh-ed25519 aGVsbG9=\n", "publickey ssh-ed25519 !!!!\n",
          "publickey ssh-ed25519  aGVsbG8=\n", "publickey  ssh-ed25519 aGVsbG8=\n",
          "publickey ssh-ed25519\taGVsbG8=\n", "publickey ssh-ed25519 aGVsbG8=\r\n",
          "publickey ssh-ed25519 aGVsb\nG8=\n", "publickey aGVsbG8=\n"})
        CHECK_MSG(!parse_user_auth(content), escape_visible(content));
    CHECK_ERR(parse_user_auth(std::string_view("publickey x aGVs\0bG8=\n", 22)), Errc::bad_input);
}

// A good line does not make up for a bad one.
void a_good_key_beside_a_malformed_one_is_refused() {
    CHECK_ERR(parse_user_auth("publickey x\n" + std::string(k_line)), Errc::bad_input);
}

// What may hand a key over and do nothing else. Whatever else let somebody in does not lead there, and least
// of all a key that could not be read.
void a_password_login_has_no_key_at_all() {
    for (const std::string_view content :
         {"password\n", "password", "keyboard-interactive/pam\n", "keyboard-interactive\n",
          "keyboard-interactive/pam\npassword\n", "\npassword\n\n"})
        CHECK_MSG(is_password_login(content), escape_visible(content));
    for (const std::string_view content :
         {"", "\n", "none\n", "hostbased x\n", "gssapi-with-mic user@REALM\n", "passwordx\n", " password\n",
          "password \n", "password x\n", "keyboard-interactively\n", "keyboard\n", "publickey\n",
          "publickey x\n", "password\npublickey ssh-ed25519 aGVsbG8=\n",
          "publickey ssh-ed25519 aGVsbG8=\npassword\n",
          "password\npublickey-hostbound ssh-ed25519 aGVsbG8=\n", "password\nhostbased x\n", "password\r\n"})
        CHECK_MSG(!is_password_login(content), escape_visible(content));
    CHECK(!is_password_login(std::string_view("password\0\n", 10)));
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(one_key_is_found),
        GATE_TEST(a_blob_may_hold_every_byte),
        GATE_TEST(two_keys_are_refused),
        GATE_TEST(no_key_is_refused),
        GATE_TEST(a_malformed_key_is_refused),
        GATE_TEST(a_good_key_beside_a_malformed_one_is_refused),
        GATE_TEST(a_password_login_has_no_key_at_all),
    };
    return cmocka_run_group_tests_name("drop_user_auth", tests, nullptr, nullptr);
}
