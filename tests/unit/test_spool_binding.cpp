// lib/spool/binding: key, file name and packet agree, or they do not.
#include "tests/unit/support.h"

#include "lib/base/md5.h"
#include "lib/spool/binding.h"

using namespace gate;
using spool::Content;
using spool::Reason;
using spool::Verdict;

namespace {

keyring::KeyRecord key_of(std::initializer_list<std::string> names) {
    keyring::KeyRecord key;
    for (const std::string& name : names) {
        keyring::Agent agent{name, {}};
        agent.md5 = agent.is_pattern() ? std::string(32, '0') : md5_name(name);
        key.agents.push_back(agent);
    }
    return key;
}

Verdict packet(std::string_view agent, Content content = Content::well_formed) {
    return {content, std::string(agent)};
}

void md5_is_that_of_everybody() {
    CHECK_EQ(md5_name(""), "d41d8cd98f00b204e9800998ecf8427e");
    CHECK_EQ(md5_name("abc"), "900150983cd24fb0d6963f7d28e17f72");
}

void patterns_match_whole_names() {
    const struct {
        std::string_view pattern;
        std::string_view text;
        bool matches;
    } table[] = {
        {"*", "", true},
        {"*", "anything at all", true},
        {"web*", "web", true},
        {"web*", "web01", true},
        {"web*", "Web01", false},
        {"web*", "xweb01", false},
        {"*.lan", "db.lan", true},
        {"*.lan", "db.lan.x", false},
        {"a*b*c", "a--b--c", true},
        {"a*b*c", "abc", true},
        {"a*b*c", "acb", false},
        {"*aab", "aaaab", true},
        {"**", "x", true},
        {"a*", "", false},
        {"", "", true},
        {"", "x", false},
        {"a*a", "a", false},
        {"*a*a*", "aa", true},
        {"web?", "web1", false},
        {"web[1]", "web1", false},
    };
    for (const auto& row : table)
        CHECK_MSG(spool::matches_pattern(row.pattern, row.text) == row.matches,
                  std::string(row.pattern) + " / " + std::string(row.text));
}

// The straightforward definition, for the differential test below.
bool matches_slowly(std::string_view p, std::string_view t) {
    if (p.empty())
        return t.empty();
    if (p.front() == '*')
        return matches_slowly(p.substr(1), t) || (!t.empty() && matches_slowly(p, t.substr(1)));
    return !t.empty() && p.front() == t.front() && matches_slowly(p.substr(1), t.substr(1));
}

void patterns_match_as_defined() {
    auto random = test::seeded();
    const auto text = [&](const char* letters, std::size_t kinds, std::size_t most) {
        std::string out;
        for (std::size_t n = random() % most; n > 0; --n)
            out += letters[random() % kinds];
        return out;
    };
    unsigned matched = 0;
    for (int i = 0; i < 20'000; ++i) {
        const std::string p = text("ab*", 3, 8);
        const std::string t = text("ab", 2, 10);
        const bool expected = matches_slowly(p, t);
        matched += expected ? 1U : 0U;
        CHECK_MSG(spool::matches_pattern(p, t) == expected, p + " / " + t);
    }
    CHECK(matched > 1000);
}

void a_name_agrees_with_its_agent() {
    const auto key = key_of({"web1", "db main"});
    CHECK(spool::name_agrees(key, "web1") && spool::name_agrees(key, md5_name("web1")));
    CHECK(spool::name_agrees(key, "db main"));
    for (const std::string& name :
         {std::string("web"), std::string("web11"), md5_name("web2"), std::string(), std::string("WEB1")})
        CHECK_MSG(!spool::name_agrees(key, name), name);
    CHECK(!spool::name_agrees(key_of({}), "web1"));
    // Whose MD5 it is cannot be told from a pattern; what is no MD5 can.
    const auto broker = key_of({"edge-*"});
    CHECK(spool::name_agrees(broker, "edge-7") && spool::name_agrees(broker, md5_name("anybody")));
    CHECK(!spool::name_agrees(broker, "core-7") &&
          !spool::name_agrees(broker, "D41D8CD98F00B204E9800998ECF8427E"));
}

// Whoever sends it, also where nothing is bound.
void what_a_packet_holds_is_judged_alone() {
    const struct {
        Verdict verdict;
        Reason reason;
    } table[] = {
        {packet("web1"), Reason::none},
        {packet(""), Reason::none}, // it says so; the binding decides
        {{Content::well_formed, std::nullopt}, Reason::content_agent},
        {{Content::malformed, std::nullopt}, Reason::none},
        {packet("web1", Content::malformed), Reason::none},
        {packet("web1", Content::doctype), Reason::content_doctype},
        {packet("web1", Content::wrong_root), Reason::content_root},
        {packet("web1", Content::too_complex), Reason::content_complex},
        {{Content::unchecked, std::nullopt}, Reason::none},
        {packet("web1", Content::last_), Reason::protocol},
        {packet("web1", static_cast<Content>(999)), Reason::protocol},
    };
    for (const auto& row : table)
        CHECK_EQ(spool::check_content(row.verdict), row.reason);
}

void packet_name_and_file_name_are_of_one_agent() {
    const auto key = key_of({"web1", "web2", "edge-*"});
    const std::string edge = md5_name("edge-7");
    const struct {
        std::string file;
        std::string agent;
        Reason reason;
    } table[] = {
        {"web1", "web1", Reason::none},
        {md5_name("web1"), "web1", Reason::none},
        {"web1", "web2", Reason::agent_mismatch}, // both are the key's, but not of one packet
        {md5_name("web1"), "web2", Reason::agent_mismatch},
        {"web1", "web3", Reason::agent_mismatch},
        {"web3", "web3", Reason::agent_mismatch},
        {"edge-7", "edge-7", Reason::none},
        {edge, "edge-7", Reason::none},
        {edge, "edge-8", Reason::agent_mismatch},
        {"edge-7", "edge-8", Reason::agent_mismatch},
        {edge, "core-7", Reason::agent_mismatch},
        {md5_name("core-7"), "core-7", Reason::agent_mismatch},
        {"web1", "", Reason::agent_mismatch},
    };
    for (const auto& row : table)
        CHECK_MSG(spool::check_binding(key, row.file, packet(row.agent)) == row.reason,
                  row.file + " / " + row.agent);
}

void a_packet_without_a_name_is_judged_by_its_file() {
    const auto key = key_of({"web1"});
    for (const Content content : {Content::malformed, Content::unchecked}) {
        CHECK_EQ(spool::check_binding(key, "web1", {content, std::nullopt}), Reason::none);
        CHECK_EQ(spool::check_binding(key, "web2", {content, std::nullopt}), Reason::agent_name);
    }
    CHECK_EQ(spool::check_binding(key, "web1", {Content::well_formed, std::nullopt}), Reason::content_agent);
    CHECK_EQ(spool::check_binding(key, "web1", packet("web2", Content::malformed)), Reason::agent_mismatch);
}

// An agent whose locale is ISO 8859-1 writes its name so into its file's name, or takes the MD5 of that.
void a_pattern_knows_the_encodings_of_names() {
    const auto key = key_of({"B*"});
    const std::string utf8 = "B\xc3\xbcro";
    const std::string latin1 = "B\xfcro";
    for (const std::string& file : {utf8, latin1, md5_name(utf8), md5_name(latin1)})
        CHECK_MSG(spool::check_binding(key, file, packet(utf8)) == Reason::none, file);
    CHECK_EQ(spool::check_binding(key, "B\xf6ro", packet(utf8)), Reason::agent_mismatch);
    CHECK_EQ(spool::check_binding(key, "B\xc3", packet("B\xc3")), Reason::none); // no UTF-8: only itself
    CHECK_EQ(spool::check_binding(key, md5_name("B\xe2\x82\xac"), packet("B\xe2\x82\xac")), Reason::none);
}

void modes_come_from_key_and_policy() {
    using keyring::Binding;
    using keyring::Unbound;
    using spool::BindingMode;
    keyring::Policy policy;
    auto key = key_of({"web1"});
    CHECK(spool::binding_mode(policy, key) == BindingMode::enforce);
    policy.binding_default = Binding::observe;
    CHECK(spool::binding_mode(policy, key) == BindingMode::observe);
    key.binding = Binding::off;
    CHECK(spool::binding_mode(policy, key) == BindingMode::off);
    key.binding = Binding::enforce;
    CHECK(spool::binding_mode(policy, key) == BindingMode::enforce);
    key.agents.clear();
    CHECK(spool::binding_mode(policy, key) == BindingMode::learn);
    policy.binding_unbound_keys = Unbound::allow;
    CHECK(spool::binding_mode(policy, key) == BindingMode::off);
    policy.binding_unbound_keys = Unbound::refuse;
    CHECK(spool::binding_mode(policy, key) == BindingMode::refuse);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(md5_is_that_of_everybody),
        GATE_TEST(patterns_match_whole_names),
        GATE_TEST(patterns_match_as_defined),
        GATE_TEST(a_name_agrees_with_its_agent),
        GATE_TEST(what_a_packet_holds_is_judged_alone),
        GATE_TEST(packet_name_and_file_name_are_of_one_agent),
        GATE_TEST(a_packet_without_a_name_is_judged_by_its_file),
        GATE_TEST(a_pattern_knows_the_encodings_of_names),
        GATE_TEST(modes_come_from_key_and_policy),
    };
    return cmocka_run_group_tests_name("spool_binding", tests, nullptr, nullptr);
}
