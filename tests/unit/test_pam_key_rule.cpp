// pam_pandora/key_rule: require_key lets exactly one kind of login pass.
#include "tests/unit/support.h"

#include "lib/base/sha256.h"
#include "pam_pandora/key_rule.h"

using namespace gate;
using namespace gate::pam;

namespace {

AuthInfo by_key() {
    AuthInfo info;
    info.methods = "publickey";
    info.keys = 1;
    info.fingerprint = sha256(as_bytes(std::string_view("key")));
    return info;
}

KnownKey active() {
    KnownKey known;
    known.good = true;
    known.id = "web01";
    known.state = "active";
    known.generation = 1;
    return known;
}

void refused(const AuthInfo& info, const KnownKey& known, std::string_view words,
             Outcome outcome = Outcome::denied) {
    const Verdict verdict = decide_key(info, known);
    CHECK_EQ(verdict.outcome, outcome);
    CHECK_EQ(std::string_view(verdict.rule), "key");
    CHECK_MSG(verdict.reason.find(words) != std::string::npos, verdict.reason);
    CHECK(verdict.remedy[0] != '\0');
}

void one_active_key_passes() {
    CHECK_EQ(decide_key(by_key(), active()).outcome, Outcome::allowed);
    AuthInfo twice = by_key(); // AuthenticationMethods publickey,password
    twice.methods = "publickey,password";
    CHECK_EQ(decide_key(twice, active()).outcome, Outcome::allowed);
}

void whatever_is_not_one_key_is_refused() {
    refused({}, active(), "does not say how");
    AuthInfo info = by_key();
    info.keys = 0;
    info.methods = "password";
    refused(info, active(), "without a public key, by password");
    info = by_key();
    info.keys = 2;
    refused(info, active(), "more than one");
    info = by_key();
    info.fingerprint.reset();
    refused(info, active(), "cannot be read");
}

// Whatever else is known of the key: nothing but `good` counts.
void a_key_that_is_not_good_is_refused() {
    for (const char* state : {"revoked", "expired", "disabled", "not yet valid", "active", ""}) {
        KnownKey known = active();
        known.good = false;
        known.state = state;
        refused(by_key(), known, std::string("the key is ") + state);
        const Verdict verdict = decide_key(by_key(), known);
        CHECK_EQ(verdict.key, "web01");
        CHECK(verdict.fingerprint.starts_with("SHA256:"));
    }
    refused(by_key(), {}, "not in the keyring");
}

void a_keyring_in_trouble_refuses_whatever_it_said() {
    KnownKey known = active();
    known.trouble = "file is missing";
    refused(by_key(), known, "file is missing", Outcome::error);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {GATE_TEST(one_active_key_passes),
                                GATE_TEST(whatever_is_not_one_key_is_refused),
                                GATE_TEST(a_key_that_is_not_good_is_refused),
                                GATE_TEST(a_keyring_in_trouble_refuses_whatever_it_said)};
    return cmocka_run_group_tests_name("pam_key_rule", tests, nullptr, nullptr);
}
