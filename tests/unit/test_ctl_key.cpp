// Public keys: which lines are taken, and with which words the others are refused.
#include "tests/unit/support.h"
#include "tests/unit/test_ctl_keys.h"

#include "gatectl/crypto.h"
#include "gatectl/keys/accept.h"
#include "gatectl/keys/names.h"
#include "gatectl/keys/public_key.h"
#include "gatectl/problem.h"

#include <fmt/format.h>

using namespace gate;
using namespace gate::test;

namespace {

std::string wire(std::string_view part) {
    const auto n = part.size();
    std::string out;
    for (const int shift : {24, 16, 8, 0})
        out += static_cast<char>(static_cast<unsigned char>((n >> shift) & 0xff));
    return out + std::string(part);
}

std::string line_of(const std::string& type, const std::string& blob) {
    return type + ' ' + base64_encode(as_bytes(blob)) + " comment";
}

std::string blob_of(const Fixture& key) {
    const std::string_view line = key.line;
    const auto from = line.find(' ') + 1;
    return *base64_decode(line.substr(from, line.find(' ', from) - from));
}

// The P-256 point of the fixture.
std::string point() {
    return blob_of(k_ecdsa256).substr(blob_of(k_ecdsa256).size() - 65);
}

void refused(const std::string& text, std::string_view words, ctl::Status status = ctl::Status::bad_data) {
    try {
        static_cast<void>(ctl::read_public_key(text));
    } catch (const ctl::Problem& problem) {
        CHECK_MSG(std::string_view(problem.what()).find(words) != std::string_view::npos,
                  fmt::format("{} does not say {}", problem.what(), words));
        CHECK(std::string_view(problem.what()).find('\n') == std::string_view::npos);
        CHECK_EQ(static_cast<int>(problem.status()), static_cast<int>(status));
        return;
    }
    raise(__FILE__, __LINE__, fmt::format("taken, but should be refused with {}", words));
}

void takes_every_accepted_type() {
    for (const Fixture& key : {k_ed25519, k_ecdsa256, k_ecdsa384, k_ecdsa521, k_rsa2048}) {
        const auto parsed = ctl::read_public_key(key.line);
        CHECK_EQ(parsed.type, std::string(key.type));
        CHECK_EQ(keyring::format_fingerprint(parsed.fingerprint), std::string(key.fingerprint));
        CHECK(parsed.comment.starts_with("agent@"));
    }
}

void takes_security_keys() {
    const std::string ed = "sk-ssh-ed25519@openssh.com";
    CHECK_EQ(ctl::read_public_key(line_of(ed, wire(ed) + wire(std::string(32, 'x')) + wire("ssh:"))).type,
             ed);
    const std::string ec = "sk-ecdsa-sha2-nistp256@openssh.com";
    CHECK_EQ(
        ctl::read_public_key(line_of(ec, wire(ec) + wire("nistp256") + wire(point()) + wire("ssh:"))).type,
        ec);
    refused(line_of(ed, wire(ed) + wire(std::string(32, 'x')) + wire("")), "application");
    refused(line_of(ed, wire(ed) + wire(std::string(32, 'x'))), "middle of a length");
}

void line_ends_and_blank_lines_do_no_harm() {
    const std::string line = k_ed25519.line;
    for (const std::string& text : {line + "\n", line + "\r\n", "\n" + line + "\n\n", "  " + line + "  "})
        CHECK_EQ(ctl::read_public_key(text).comment, std::string("agent@ed25519"));
}

void refuses_by_form() {
    const std::string line = k_ed25519.line;
    refused("", "there is no key");
    refused(" \n\n", "there is no key");
    refused("hello world", "not an OpenSSH public key");
    refused("ssh-ed25519", "ends after the type");
    refused("ssh-ed448 AAAA x", "type ssh-ed448 are not accepted");
    refused(k_dsa.line, "DSA");
    refused(k_certificate.line, "certificate");
    refused(k_rsa1024.line, "1024 bits");
    refused(line + "\n" + k_ecdsa256.line, "more than one line");
    refused(line + "\n" + line.substr(20), "join what was broken");
    refused(line + " " + k_ecdsa256.line, "more than one key on the line");
    refused(line.substr(line.find(' ') + 1), "the type before the key is missing");
    refused("2048 65537 123456789 old@key", "SSH protocol 1");
    refused("restrict " + line, "options before the key");
    refused("command=\"a b\",no-pty " + line, "options before the key");
    refused(line + std::string(ctl::k_max_line, 'x'), "longer than");
    refused(line + "\rx", "carriage return");
    refused(line + std::string(1, '\0') + "x", "NUL");
    refused(line + "\x1b[2J", "control character");
}

// Each as its program writes it, or as much of it as people paste.
void refuses_other_formats_without_showing_them() {
    const char* private_keys[] = {
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n",
        "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEI\n",
        "-----BEGIN DSA PRIVATE KEY-----\nMIIBvAIBAAKBgQ\n",
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEI\n",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIFHDBOBgkqhkiG9w0BBQ0w\n",
        "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nP2/56wAAA\n",
        "SSH PRIVATE KEY FILE FORMAT 1.1\n",
        "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n",
        "Public-Lines: 2\nAAAA\nPrivate-Lines: 1\nAAAA\n",
        "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU",
        "  MIIEpAIBAAKCAQEAsecret",
        "MIIEvgIBADANBgkqhkiG9w0BAQEFAASC",
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49",
        "MHcCAQEEIsecret",
        "MC4CAQAwBQYDK2VwBCIEIsecret",
    };
    for (const char* text : private_keys) {
        refused(text, "this is a private key: keep it secret; give the .pub file");
        // Behind the right line, before it, and in a comment as well.
        if (std::string_view(text).find('\n') != std::string_view::npos)
            refused(std::string(k_ed25519.line) + "\n" + text, "this is a private key");
    }
    refused(std::string(k_ed25519.line) + " -----BEGIN RSA PRIVATE KEY----- MIIE", "this is a private key");
    refused(std::string(k_ed25519.line) + " b3BlbnNzaC1rZXktdjEAAAAABG5vbmU", "this is a private key");
    refused("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n", "convert it with `ssh-keygen -i -f FILE`");
    refused("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n",
            "convert it with `ssh-keygen -i -m PKCS8 -f FILE`");
    refused("-----BEGIN RSA PUBLIC KEY-----\nMIIBCgKCAQEA\n",
            "convert it with `ssh-keygen -i -m PEM -f FILE`");
    refused("-----BEGIN CERTIFICATE-----\nMIID\n", "X.509");
    refused("-----BEGIN PGP PUBLIC KEY BLOCK-----\n", "PGP");
    refused(std::string("\xff\xfes\0s\0h\0", 8), "UTF-16");
    refused(std::string("\xef\xbb\xbf") + k_ed25519.line, "byte order mark");
    refused(std::string(k_ed25519.line) + std::string(ctl::k_max_input, '\n') + "x" +
                std::string(ctl::k_max_input, 'x'),
            "too long");
}

// A comment may say what it likes, as long as it is not another key.
void comments_may_name_types_and_private_keys() {
    for (const char* comment :
         {"ssh-rsa", "old ssh-rsa key of web01", "the PRIVATE KEY is on web01", "ssh-dss AAA", "se\xc3\xb1or",
          "tab\there", "#\"quoted\" from=\"x\"", "MIIEpAIBA is no comment"}) {
        const auto key = ctl::read_public_key(std::string(k_ed25519.line) + ' ' + comment + " \t");
        CHECK_EQ(key.comment, std::string("agent@ed25519 ") + comment);
    }
    const std::string bare = std::string(k_ed25519.line).substr(0, std::string(k_ed25519.line).rfind(' '));
    CHECK_EQ(ctl::read_public_key(bare).comment, std::string());
    CHECK_EQ(ctl::read_public_key(bare + "  \t ").comment, std::string());
    CHECK_EQ(ctl::read_public_key(bare + " x").comment, std::string("x"));
}

void refuses_damaged_base64() {
    const std::string blob = base64_encode(as_bytes(blob_of(k_ed25519)));
    refused("ssh-ed25519 " + blob.substr(0, blob.size() - 1), "base64");
    refused("ssh-ed25519 " + blob + "=", "base64");
    refused("ssh-ed25519 " + blob.substr(0, 20) + "*" + blob.substr(21), "base64");
    refused("ssh-ed25519 " + blob.substr(0, blob.size() - 4), "longer than the whole");
}

void refuses_by_structure() {
    const std::string ed = "ssh-ed25519";
    const std::string ec = "ecdsa-sha2-nistp256";
    refused(line_of(ed, wire(ed) + wire(std::string(32, 'x')) + "y"), "bytes behind its end");
    refused(line_of(ed, wire(ed) + wire(std::string(31, 'x'))), "wrong length");
    refused(line_of(ed, wire("ssh-rsa") + wire(std::string(32, 'x'))), "type inside");
    refused(line_of(ed, wire(ed) + "\xff\xff\xff\xff" + std::string(32, 'x')), "longer than the whole");
    refused(line_of(ec, wire(ec) + wire("nistp384") + wire(point())), "curve inside");
    std::string off = point();
    off.back() = static_cast<char>(off.back() ^ 1);
    refused(line_of(ec, wire(ec) + wire("nistp256") + wire(off)), "not on the curve");
    std::string compressed = point();
    compressed[0] = '\x02';
    refused(line_of(ec, wire(ec) + wire("nistp256") + wire(compressed)), "uncompressed");
    const std::string infinity(1, '\0');
    refused(line_of(ec, wire(ec) + wire("nistp256") + wire(infinity)), "wrong length");
    refused(line_of(ec, wire(ec) + wire("nistp256") + wire("\x04" + std::string(64, '\0'))),
            "not on the curve");
    const std::string sk = "sk-ecdsa-sha2-nistp256@openssh.com";
    refused(line_of(sk, wire(sk) + wire("nistp256") + wire(off) + wire("ssh:")), "not on the curve");
}

std::string from_hex(std::string_view hex) {
    std::string out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    return out;
}

// On the curve, but with coordinates that OpenSSH refuses (sshkey_ec_validate_public); made by hand.
void refuses_contrived_points() {
    const std::string ec = "ecdsa-sha2-nistp256";
    const auto with = [&](std::string_view x, std::string_view y) {
        return line_of(ec, wire(ec) + wire("nistp256") + wire("\x04" + from_hex(x) + from_hex(y)));
    };
    refused(with("0000000000000000000000000000000000000000000000000000000000000005",
                 "459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc"),
            "contrived");
    refused(with("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632557",
                 "6ee7e1bbd98b20c2417acaba6c7a3f1ad4d13740e4db7c58408cffdf176ed4de"),
            "contrived");
}

// Nobody needs a private key to "sign" for these: all encodings of the eight points of small order.
void refuses_ed25519_points_of_small_order() {
    const std::string type = "ssh-ed25519";
    const std::string sk = "sk-ssh-ed25519@openssh.com";
    const char* points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    for (const char* hex : points) {
        std::string y = from_hex(hex);
        for (int sign = 0; sign < 2; ++sign) {
            refused(line_of(type, wire(type) + wire(y)), "small order");
            refused(line_of(sk, wire(sk) + wire(y) + wire("ssh:")), "small order");
            y.back() = static_cast<char>(y.back() ^ '\x80');
        }
        y.front() = static_cast<char>(y.front() ^ '\x10'); // the control: another number is taken
        CHECK_EQ(ctl::read_public_key(line_of(type, wire(type) + wire(y))).type, type);
    }
}

void refuses_rsa_numbers() {
    const std::string type = "ssh-rsa";
    const std::string modulus = blob_of(k_rsa2048).substr(blob_of(k_rsa2048).size() - 257); // with its zero
    const std::string e = "\x01" + std::string(1, '\0') + "\x01";
    CHECK_EQ(ctl::read_public_key(line_of(type, wire(type) + wire(e) + wire(modulus))).type, type);
    const auto with = [&](const std::string& exponent, const std::string& n) {
        return line_of(type, wire(type) + wire(exponent) + wire(n));
    };
    refused(with(e, modulus.substr(1)), "zero or negative");
    refused(with(e, std::string(1, '\0') + modulus), "leading zeros");
    refused(with("", modulus), "zero or negative");
    refused(with("\x02", modulus), "exponent is even");
    refused(with("\x01", modulus), "exponent 1");
    refused(with(e + std::string(6, 'y'), modulus), "an exponent of 65 bits");
    CHECK_EQ(ctl::read_public_key(with("\x03", modulus)).type, type);
    CHECK_EQ(ctl::read_public_key(with("\x7f" + std::string(7, 'y'), modulus)).type, type);
    std::string even = modulus;
    even.back() = static_cast<char>(even.back() & ~1);
    refused(with(e, even), "modulus is even");
    // 3 times something, of 2048 bits.
    refused(with(e, std::string(1, '\0') + std::string(256, '\xff')), "small factor");
    refused(with(e, "\x01" + std::string(2048, 'x')), "16384 at most");
}

void a_blob_cut_anywhere_is_refused() {
    const std::string blob = blob_of(k_ecdsa256);
    for (std::size_t n = 0; n < blob.size(); ++n) {
        try {
            ctl::check_blob(k_ecdsa256.type, std::string_view(blob).substr(0, n));
            raise(__FILE__, __LINE__, fmt::format("a blob cut at {} was taken", n));
        } catch (const ctl::Problem&) {
        }
    }
}

void agents_md5_is_that_of_the_name() {
    CHECK_EQ(ctl::md5_hex("web01"), std::string("2f527604e1deff1329720282d8d3cfa1"));
    CHECK_EQ(ctl::md5_hex(""), std::string("d41d8cd98f00b204e9800998ecf8427e"));
    CHECK_EQ(ctl::md5_hex("se\xc3\xb1or x"), std::string("e909d3857c00bce5e8f6b6e267489bc3"));
}

void agent_names() {
    for (const char* good :
         {"a", "web 01", "se\xc3\xb1or", "a.b", "x-", "{}[]()'\"\\", "\xff", "a*", "*", "*.b*"})
        CHECK_MSG(ctl::wrong_with_agent(good) == nullptr, good);
    for (const char* bad : {"", ".a", "-a", "a/b", "a\nb", "a\x7f", "\t"})
        CHECK_MSG(ctl::wrong_with_agent(bad) != nullptr, bad);
    CHECK(ctl::wrong_with_agent(std::string(200, 'a')) == nullptr);
    CHECK(ctl::wrong_with_agent(std::string(201, 'a')) != nullptr);
    CHECK(ctl::wrong_with_agent(std::string(1, '\0')) != nullptr);
    CHECK_EQ(ctl::check_agents({"a", "b", "a"}).size(), std::size_t{2});
    CHECK(ctl::check_agents({}).empty());
    // A name out of a packet must not become a pattern.
    CHECK(ctl::wrong_with_exact_agent("web01") == nullptr);
    for (const char* bad : {"*", "web*", "a/b", "", "-a"})
        CHECK_MSG(ctl::wrong_with_exact_agent(bad) != nullptr, bad);
}

void the_policy_chooses_among_good_keys() {
    const auto said = [](const keyring::Policy& policy, const Fixture& key) {
        return ctl::wrong_with_policy(policy, key.type, blob_of(key));
    };
    keyring::Policy policy;
    for (const Fixture& key : {k_ed25519, k_ecdsa256, k_ecdsa384, k_ecdsa521, k_rsa2048})
        CHECK_EQ(said(policy, key), std::string());
    policy.keys_min_rsa_bits = 2049;
    CHECK_EQ(said(policy, k_rsa2048), std::string("this RSA key has 2048 bits, keys.min_rsa_bits is 2049"));
    CHECK_EQ(said(policy, k_ed25519), std::string());
    policy.keys_types = "sk-ed25519,rsa";
    CHECK_EQ(said(policy, k_ed25519),
             std::string("keys of type ed25519 are not accepted here: keys.types is sk-ed25519,rsa"));
    CHECK(!said(policy, k_ecdsa521).empty());
    policy.keys_types = "ed25519";
    CHECK_EQ(said(policy, k_ed25519), std::string());
}

void ids_are_harmless() {
    const keyring::Fingerprint fp{0xab, 0xcd, 0xef};
    CHECK_EQ(ctl::propose_id("web01", fp, 6), std::string("web01-abcdef"));
    CHECK_EQ(ctl::propose_id("se\xc3\xb1or x", fp, 6), std::string("se-or-x-abcdef"));
    CHECK_EQ(ctl::propose_id("\xff\xff", fp, 8), std::string("key-abcdef00"));
    CHECK_EQ(ctl::propose_id("", fp, 6), std::string("key-abcdef"));
    CHECK_EQ(ctl::propose_id("web*", fp, 6), std::string("web-abcdef"));
    for (const char* name : {"_a", "a.", "..", "(x)", "-", "0"})
        CHECK_MSG(ctl::is_key_id(ctl::propose_id(name, fp, 6)), name);
    for (const char* bad : {"", "-a", ".a", "a b", "a/b", "a:b", "\xc3\xb1"})
        CHECK_MSG(!ctl::is_key_id(bad), bad);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(takes_every_accepted_type),
        GATE_TEST(takes_security_keys),
        GATE_TEST(line_ends_and_blank_lines_do_no_harm),
        GATE_TEST(refuses_by_form),
        GATE_TEST(refuses_other_formats_without_showing_them),
        GATE_TEST(comments_may_name_types_and_private_keys),
        GATE_TEST(refuses_damaged_base64),
        GATE_TEST(refuses_by_structure),
        GATE_TEST(refuses_contrived_points),
        GATE_TEST(refuses_ed25519_points_of_small_order),
        GATE_TEST(refuses_rsa_numbers),
        GATE_TEST(a_blob_cut_anywhere_is_refused),
        GATE_TEST(agents_md5_is_that_of_the_name),
        GATE_TEST(agent_names),
        GATE_TEST(the_policy_chooses_among_good_keys),
        GATE_TEST(ids_are_harmless),
    };
    return cmocka_run_group_tests_name("ctl_key", tests, nullptr, nullptr);
}
