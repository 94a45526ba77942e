// What may be released from the quarantine: the policy less the rule that failed.
#include "tests/unit/support.h"
#include "tests/unit/test_ctl_quarantine.h"

#include "gatectl/quarantine/judge.h"

using namespace gate;
using namespace gate::test;

namespace {

using spool::Reason;

struct Judged {
    keyring::Policy policy{};
    keyring::KeyRecord key{};
    Judged() { key.agents = {{"web01", "2f527604e1deff1329720282d8d3cfa1"}}; }

    Reason operator()(Reason failed, std::string_view file, std::string_view content) const {
        return ctl::still_wrong({.policy = policy,
                                 .key = &key,
                                 .file = file,
                                 .content = std::as_bytes(std::span(content)),
                                 .failed = failed});
    }
};

void the_name_is_held_against_the_rules() {
    const Judged judge;
    const std::string good = packet_of("web01");
    CHECK(judge(Reason::content_root, "web01.1.data", good) == Reason::none);
    CHECK(judge(Reason::content_root, "2f527604e1deff1329720282d8d3cfa1.1.data", good) == Reason::none);
    CHECK(judge(Reason::content_root, "other.1.data", good) == Reason::agent_name);
    CHECK(judge(Reason::agent_mismatch, "other.1.data", packet_of("other")) == Reason::none);
    CHECK(judge(Reason::agent_mismatch, "../other.1.data", good) != Reason::none);
    CHECK(judge(Reason::agent_mismatch, "web01.1.checksum", good) == Reason::name_form);
    CHECK(judge(Reason::agent_mismatch, "conf", good) == Reason::name_form);
}

void what_has_become_too_large_stays() {
    Judged judge;
    judge.policy.drop_max_file_size = 10;
    CHECK(judge(Reason::content_root, "web01.1.data", packet_of("web01")) == Reason::size_file);
}

// Needs what looks into packets.

constexpr std::string_view k_doctype =
    "<!DOCTYPE agent_data [<!ENTITY x 'y'>]><agent_data agent_name='web01'></agent_data>";

void only_the_rule_that_failed_is_left_out() {
    const Judged judge;
    CHECK(judge(Reason::content_doctype, "web01.1.data", k_doctype) == Reason::none);
    CHECK(judge(Reason::content_root, "web01.1.data", k_doctype) == Reason::content_doctype);
    CHECK(judge(Reason::agent_mismatch, "web01.1.data", k_doctype) == Reason::content_doctype);
    CHECK(judge(Reason::content_root, "web01.1.data", "<other/>") == Reason::none);
    CHECK(judge(Reason::content_doctype, "web01.1.data", "<other/>") == Reason::content_root);
    CHECK(judge(Reason::content_agent, "web01.1.data", "<agent_data/>") == Reason::none);
    CHECK(judge(Reason::content_doctype, "web01.1.data", "<agent_data/>") == Reason::content_agent);
    CHECK(judge(Reason::content_root, "web01.1.data", packet_of("other")) == Reason::agent_mismatch);
    CHECK(judge(Reason::agent_mismatch, "web01.1.data", packet_of("other")) == Reason::none);
}

void the_binding_counts_as_it_is_now() {
    Judged judge;
    judge.key.binding = keyring::Binding::observe;
    CHECK(judge(Reason::content_root, "other.1.data", packet_of("other")) == Reason::none);
    judge.key.binding = keyring::Binding::automatic;
    judge.policy.binding_default = keyring::Binding::off;
    CHECK(judge(Reason::content_root, "web01.1.data", packet_of("other")) == Reason::none);
    judge.policy.binding_default = keyring::Binding::automatic;
    CHECK(judge(Reason::content_root, "web01.1.data", packet_of("other")) == Reason::agent_mismatch);
    judge.key.agents.clear();
    CHECK(judge(Reason::content_root, "any.1.data", packet_of("other")) == Reason::none);
    judge.policy.content_check = false;
    judge.key.agents = {{"web01", "2f527604e1deff1329720282d8d3cfa1"}};
    CHECK(judge(Reason::content_root, "web01.1.data", k_doctype) == Reason::none);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(the_name_is_held_against_the_rules),
        GATE_TEST(what_has_become_too_large_stays),
        GATE_TEST(only_the_rule_that_failed_is_left_out),
        GATE_TEST(the_binding_counts_as_it_is_now),
    };
    return cmocka_run_group_tests_name("ctl_judge", tests, nullptr, nullptr);
}
