// lib/spool/admission: whose names, which sizes, how much space.
#include "tests/unit/support.h"

#include "lib/spool/admission.h"

using namespace gate;
using namespace gate::spool;

namespace {

constexpr std::string_view k_md5_web1 = "58b4ecc6f9b9f2a8d0c8c3f3a0e1a111";

keyring::KeyRecord key() {
    keyring::KeyRecord out;
    out.agents = {{"web1", std::string(k_md5_web1)}, {"db main", "00000000000000000000000000000002"}};
    return out;
}

Reason name_of(const Admission& admission, std::string_view name) {
    FileName out;
    return admission.check_name(name, out);
}

void a_key_sends_for_its_agents_by_name_or_md5() {
    const keyring::Policy policy;
    const keyring::KeyRecord record = key();
    const Admission admission(policy, record);
    for (const std::string& name : {std::string("web1.1.data"), std::string("web1_1.data"),
                                    std::string(k_md5_web1) + ".1700000000.data",
                                    std::string("db main.7.data"), std::string("web1.1.checksum")})
        CHECK_MSG(name_of(admission, name) == Reason::none, name);
}

void nothing_that_only_looks_like_an_agent_passes() {
    const keyring::Policy policy;
    const keyring::KeyRecord record = key();
    const Admission admission(policy, record);
    std::string upper(k_md5_web1);
    for (char& c : upper)
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    for (const std::string& name :
         {std::string("web.1.data"), std::string("web11.1.data"), std::string("web12.1.data"),
          std::string("web1.1.1.data"), std::string("web1_1_1.data"), std::string("xweb1.1.data"),
          std::string("WEB1.1.data"), std::string("web1 .1.data"), std::string("web1..1.data"),
          std::string("db.1.data"), std::string("db_main.1.data"), upper + ".1.data",
          std::string(k_md5_web1.substr(1)) + ".1.data", std::string(k_md5_web1) + "0.1.data",
          std::string("web2.1.checksum")})
        CHECK_MSG(name_of(admission, name) == Reason::agent_name, name);
    CHECK_EQ(name_of(admission, "../web1.1.data"), Reason::name_form);
    CHECK_EQ(name_of(admission, "web1.1.data/x"), Reason::name_path);
}

void a_key_without_agents_sends_what_the_policy_says() {
    keyring::Policy policy;
    const keyring::KeyRecord record;
    for (const auto unbound : {keyring::Unbound::learn, keyring::Unbound::allow}) {
        policy.binding_unbound_keys = unbound;
        CHECK_EQ(name_of(Admission(policy, record), "web1.1.data"), Reason::none);
    }
    policy.binding_unbound_keys = keyring::Unbound::refuse;
    CHECK_EQ(name_of(Admission(policy, record), "web1.1.data"), Reason::agent_unbound);
}

// What does not agree by its name is let in where it is only observed.
void the_binding_decides_whether_a_name_has_to_agree() {
    using keyring::Binding;
    const struct {
        Binding of_policy;
        Binding of_key;
        Reason reason;
    } table[] = {{Binding::automatic, Binding::automatic, Reason::agent_name},
                 {Binding::enforce, Binding::automatic, Reason::agent_name},
                 {Binding::observe, Binding::automatic, Reason::none},
                 {Binding::off, Binding::automatic, Reason::none},
                 {Binding::off, Binding::enforce, Reason::agent_name},
                 {Binding::enforce, Binding::observe, Reason::none},
                 {Binding::enforce, Binding::off, Reason::none}};
    for (const auto& row : table) {
        keyring::Policy policy;
        policy.binding_default = row.of_policy;
        keyring::KeyRecord record = key();
        record.binding = row.of_key;
        CHECK_EQ(name_of(Admission(policy, record), "stranger.1.data"), row.reason);
    }
}

// A name that is refused leaves nothing that a careless caller could use.
void a_refusal_leaves_the_answer_alone() {
    const keyring::Policy policy;
    const keyring::KeyRecord record = key();
    FileName out;
    out.agent = "untouched";
    CHECK_EQ(Admission(policy, record).check_name("web2.1.data", out), Reason::agent_name);
    CHECK_EQ(out.agent, "untouched");
}

void sizes_are_judged_below_at_and_above_the_limit() {
    keyring::Policy policy;
    policy.drop_max_file_size = 1000;
    const keyring::KeyRecord record = key();
    const Admission admission(policy, record);
    CHECK_EQ(admission.check_size(0), Reason::none);
    CHECK_EQ(admission.check_size(999), Reason::none);
    CHECK_EQ(admission.check_size(1000), Reason::none);
    CHECK_EQ(admission.check_size(1001), Reason::size_file);
    CHECK_EQ(admission.check_size(UINT64_MAX), Reason::size_file);
}

void a_session_has_so_many_files_and_bytes() {
    keyring::Policy policy;
    policy.drop_max_file_size = 1000;
    policy.drop_session_files = 3;
    policy.drop_session_bytes = 1500;
    const keyring::KeyRecord record = key();
    Admission admission(policy, record);
    admission.count(1000);
    CHECK_EQ(admission.check_size(500), Reason::none);
    CHECK_EQ(admission.check_size(501), Reason::session_bytes);
    admission.count(500);
    CHECK_EQ(admission.check_size(0), Reason::none);
    CHECK_EQ(admission.check_size(1), Reason::session_bytes);
    admission.count(0);
    CHECK_EQ(admission.check_size(0), Reason::session_files);
    CHECK_EQ(admission.files(), 3U);
    CHECK_EQ(admission.bytes(), 1500U);
    // More than the limit went through (it was lowered, say): no wrap to a huge rest.
    admission.count(5000);
    policy.drop_session_files = 100;
    CHECK_EQ(admission.check_size(0), Reason::session_bytes);
}

FreeSpace space(std::uint64_t available, std::uint64_t total = 1000, std::uint64_t files = 10) {
    return {.available = available, .total = total, .files = files};
}

void space_keeps_the_larger_of_bytes_and_percent() {
    keyring::Policy policy;
    policy.drop_max_file_size = 50;
    policy.spool_min_free = 100;
    policy.spool_min_free_percent = 2;
    const keyring::KeyRecord record = key();
    const Admission admission(policy, record);
    // 2 % of 1000 is less than 100: the bytes decide.
    CHECK_EQ(admission.check_space(space(110), 10), Reason::none);
    CHECK_EQ(admission.check_space(space(109), 10), Reason::space_free);
    CHECK_EQ(admission.check_space(space(100), 0), Reason::none);
    CHECK_EQ(admission.check_space(space(99), 0), Reason::space_free);
    // 2 % of 100,000 is 2000: the percentage decides.
    CHECK_EQ(admission.check_space(space(2010, 100'000), 10), Reason::none);
    CHECK_EQ(admission.check_space(space(2009, 100'000), 10), Reason::space_free);
    // Without a declared size: room for the largest file.
    CHECK_EQ(admission.check_space(space(150), std::nullopt), Reason::none);
    CHECK_EQ(admission.check_space(space(149), std::nullopt), Reason::space_free);
}

void space_arithmetic_does_not_wrap() {
    keyring::Policy policy;
    const keyring::KeyRecord record = key();
    const Admission admission(policy, record);
    CHECK_EQ(admission.check_space(space(UINT64_MAX, UINT64_MAX), 1), Reason::none);
    CHECK_EQ(admission.check_space(space(UINT64_MAX, UINT64_MAX), UINT64_MAX), Reason::space_free);
    CHECK_EQ(admission.check_space(space(0, 0), 0), Reason::space_free);
    policy.spool_min_free = UINT64_MAX;
    CHECK_EQ(admission.check_space(space(UINT64_MAX - 1, 1), 0), Reason::space_free);
    policy.spool_min_free = 0;
    policy.spool_min_free_percent = 100;
    CHECK_EQ(admission.check_space(space(1, UINT64_MAX), 0), Reason::space_free);
}

void no_inodes_is_no_space() {
    keyring::Policy policy;
    policy.spool_min_free = 0;
    const keyring::KeyRecord record = key();
    const Admission admission(policy, record);
    CHECK_EQ(admission.check_space(space(1000, 1000, 0), 1), Reason::space_free);
    CHECK_EQ(admission.check_space(space(1000, 1000, 1), 1), Reason::none);
    CHECK_EQ(admission.check_space(space(1000, 1000, UINT64_MAX), 1), Reason::none);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(a_key_sends_for_its_agents_by_name_or_md5),
        GATE_TEST(nothing_that_only_looks_like_an_agent_passes),
        GATE_TEST(a_key_without_agents_sends_what_the_policy_says),
        GATE_TEST(the_binding_decides_whether_a_name_has_to_agree),
        GATE_TEST(a_refusal_leaves_the_answer_alone),
        GATE_TEST(sizes_are_judged_below_at_and_above_the_limit),
        GATE_TEST(a_session_has_so_many_files_and_bytes),
        GATE_TEST(space_keeps_the_larger_of_bytes_and_percent),
        GATE_TEST(space_arithmetic_does_not_wrap),
        GATE_TEST(no_inodes_is_no_space),
    };
    return cmocka_run_group_tests_name("spool_admission", tests, nullptr, nullptr);
}
