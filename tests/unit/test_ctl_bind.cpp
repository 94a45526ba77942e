// Whose key is it: keys without agents, patterns, bindings, and what the first packets of a key named.
#include "tests/unit/support.h"
#include "tests/unit/test_ctl_place.h"

#include "gatectl/publish/publish.h"
#include "lib/spool/memory.h"

#include <map>

using namespace gate;
using namespace gate::test;

namespace {

// What read_learned is to find: file name -> memory.
std::map<std::string, spool::Learned>& memories() {
    static std::map<std::string, spool::Learned> all;
    return all;
}

Result<spool::Learned> read_memory(const std::string& file, uid_t owner) {
    CHECK_EQ(owner, uid_t{65534}); // nobody, see BindPlace
    const auto found = memories().find(file.substr(file.rfind('/') + 1));
    if (found == memories().end())
        return fail(Errc::missing, "file is missing");
    return found->second;
}

struct BindPlace : Place {
    BindPlace() {
        memories().clear();
        context.read_learned = read_memory;
        write_file(context.config, "[account]\nuser = \"nobody\"\n");
    }
    void learn(const Fixture& key, std::array<std::string, 3> names, std::uint32_t packets = 3) {
        memories()[spool::memory_name(*keyring::parse_fingerprint(key.fingerprint))] = {.packets = packets,
                                                                                        .names = names};
    }
    std::string bind(const std::string& key, std::vector<std::string> agents, std::string binding = {}) {
        return ctl::bind_key(context, {.keys = {key}, .agents = std::move(agents), .binding = binding});
    }
    std::string bind_learned(std::vector<std::string> keys = {}, std::string binding = {}) {
        return ctl::bind_learned(context, {.keys = std::move(keys), .agents = {}, .binding = binding});
    }
};

void a_key_may_have_no_agent() {
    BindPlace p;
    CHECK_EQ(
        p.add(k_ed25519, {}),
        std::string("added key-711e0d SHA256:cR4NiELuMPZQ8J6ftGYc3FnfwuPfi2fHMQH5VSl9RFE (ssh-ed25519) for "
                    "an agent that its first packets will name: see `pandora-gate keys learned`\n"
                    "published generation 1: 1 key active, 0 revoked\n"));
    CHECK(p.find(k_ed25519)->agents.empty());
    CHECK(p.find(k_ed25519)->binding == keyring::Binding::automatic);
    CHECK(contains(ctl::list_keys(p.context, false), "  (learning)\n"));
    CHECK(
        contains(ctl::show_key(p.context, "key", false), "agent        (learning)\nbinding      default\n"));
    CHECK(contains(p.add(k_ed25519, {}), "already there, nothing changed"));
    refused(ctl::Status::refused, "for no agent: give it more agents",
            [&] { static_cast<void>(p.add(k_ed25519, {"a"})); });
    static_cast<void>(ctl::revoke_key(p.context, "key", "lost"));
    CHECK(!contains(ctl::list_keys(p.context, false), "(learning)"));
}

void a_policy_may_refuse_keys_without_agents() {
    BindPlace p;
    write_file(p.context.config, "[binding]\nunbound_keys = \"refuse\"\n");
    refused(ctl::Status::usage, "say whose key this is: --agent NAME",
            [&] { static_cast<void>(p.add(k_ed25519, {})); });
    static_cast<void>(p.add(k_ed25519, {"a"}));
    // It is the published policy that counts, not a file that is being edited.
    write_file(p.context.config, "[binding]\nunbound_keys = \"allow\"\n");
    refused(ctl::Status::usage, "say whose key this is", [&] { static_cast<void>(p.add(k_rsa2048, {})); });
    static_cast<void>(ctl::publish_command(p.context));
    CHECK(contains(p.add(k_rsa2048, {}), "for any agent\n"));
    CHECK(contains(ctl::list_keys(p.context, false), "  (any)\n"));
}

void patterns_have_no_md5() {
    BindPlace p;
    static_cast<void>(p.add(k_ed25519, {"web*", "db01"}));
    const auto record = p.find(k_ed25519);
    CHECK_EQ(record->id, std::string("web-711e0d"));
    CHECK(record->agents[0].is_pattern());
    CHECK_EQ(record->agents[0].md5, std::string(32, '0'));
    CHECK(!record->agents[1].is_pattern());
    CHECK(contains(ctl::show_key(p.context, "web", false), "agent        web*  (pattern)\n"));
    CHECK(contains(ctl::show_key(p.context, "web", true), "\"pattern\": true"));
}

void a_key_for_everybody_is_remarked_on() {
    BindPlace p;
    static_cast<void>(p.add(k_ed25519, {"*"}));
    CHECK(contains(p.context.remarks.back(), "stands for every agent"));
    p.context.remarks.clear();
    static_cast<void>(p.add(k_rsa2048, {"a"}));
    CHECK(p.context.remarks.empty());
    static_cast<void>(p.bind("a-", {"*"}));
    CHECK(contains(p.context.remarks.back(), "stands for every agent"));
}

void a_binding_is_of_the_key() {
    BindPlace p;
    static_cast<void>(ctl::add_key(
        p.context, {.key = k_ed25519.line, .agents = {"a"}, .note = {}, .id = {}, .binding = "observe"}));
    CHECK(p.find(k_ed25519)->binding == keyring::Binding::observe);
    CHECK(contains(ctl::list_keys(p.context, false, {.wide = true}), "active  ed25519  observe  SHA256"));
    CHECK(contains(p.bind("a-", {}, "off"), "to binding off\n"));
    CHECK(p.find(k_ed25519)->binding == keyring::Binding::off);
    CHECK(contains(p.bind("a-", {}, "off"), "is bound so already, nothing changed"));
    refused(ctl::Status::usage, "enforce, observe or off",
            [&] { static_cast<void>(p.bind("a-", {}, "automatic")); });
    refused(ctl::Status::usage, "enforce, observe or off", [&] {
        static_cast<void>(ctl::add_key(
            p.context, {.key = k_rsa2048.line, .agents = {"b"}, .note = {}, .id = {}, .binding = "x\x1b"}));
    });
    refused(ctl::Status::refused, "another binding", [&] {
        static_cast<void>(ctl::add_key(
            p.context, {.key = k_ed25519.line, .agents = {"a"}, .note = {}, .id = {}, .binding = "enforce"}));
    });
}

void a_key_gets_more_agents() {
    BindPlace p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    CHECK_EQ(p.bind("a-711e0d", {"b", "a", "se\xc3\xb1or"}, "enforce"),
             std::string("bound a-711e0d SHA256:cR4NiELuMPZQ8J6ftGYc3FnfwuPfi2fHMQH5VSl9RFE to agent \"b\", "
                         "\"a\", \"se\\xc3\\xb1or\", binding enforce\n"
                         "published generation 2: 1 key active, 0 revoked\n"));
    CHECK(p.stored()[0].agents == std::vector<std::string>({"a", "b", "se\xc3\xb1or"}));
    CHECK_EQ(p.find(k_ed25519)->agents.size(), std::size_t{3});
    CHECK(contains(ctl::show_key(p.context, "a", false),
                   "bind by tester: agent \"b\", \"se\\xc3\\xb1or\", binding enforce"));
    CHECK(contains(p.bind("a-711e0d", {"a"}), "nothing changed"));
    CHECK_EQ(p.header().generation, std::uint64_t{2});
}

void what_cannot_be_bound() {
    BindPlace p;
    static_cast<void>(p.add(k_ed25519, {"a"}));
    refused(ctl::Status::refused, "there is no key", [&] { static_cast<void>(p.bind("x", {"b"})); });
    refused(ctl::Status::usage, "cannot be used", [&] { static_cast<void>(p.bind("a", {"b/c"})); });
    refused(ctl::Status::usage, "say what it is bound to", [&] { static_cast<void>(p.bind("a", {})); });
    refused(ctl::Status::usage, "say which key", [&] {
        static_cast<void>(ctl::bind_key(p.context, {.keys = {}, .agents = {"b"}, .binding = {}}));
    });
    std::vector<std::string> many;
    for (int i = 0; i < 1000; ++i)
        many.push_back(fmt::format("n{}", i));
    refused(ctl::Status::refused, "more than 1000 agents", [&] { static_cast<void>(p.bind("a", many)); });
    static_cast<void>(ctl::revoke_key(p.context, "a", "lost"));
    refused(ctl::Status::refused, "is revoked", [&] { static_cast<void>(p.bind("a", {"b"})); });
    CHECK_EQ(p.header().generation, std::uint64_t{2});
}

void what_packets_named_is_listed() {
    BindPlace p;
    CHECK_EQ(ctl::list_learned(p.context, false), std::string());
    static_cast<void>(p.add(k_ed25519, {}));
    static_cast<void>(p.add(k_rsa2048, {}));
    static_cast<void>(p.add(k_ecdsa256, {}));
    static_cast<void>(p.add(k_ecdsa384, {"bound"}));
    p.learn(k_ed25519, {"web01", "web01", "web01"});
    p.learn(k_rsa2048, {"a\x1b", "b", ""}, 2);
    CHECK_EQ(ctl::list_learned(p.context, false),
             std::string("ID          PACKETS  PROPOSES  NAMED\n"
                         "key-349fba  2        no        \"a\\x1b\", \"b\" (2 of 3 packets have come)\n"
                         "key-711e0d  3        yes       \"web01\"\n"
                         "key-ee9a83  0        no        - (0 of 3 packets have come)\n"));
    const std::string json = ctl::list_learned(p.context, true);
    CHECK(contains(json, "\"proposes\": true"));
    CHECK(contains(json, "\"a\\u001b\""));
    CHECK(!contains(json, "bound-"));
}

void keys_are_bound_to_what_they_learned() {
    BindPlace p;
    static_cast<void>(p.add(k_ed25519, {}));
    static_cast<void>(p.add(k_rsa2048, {}));
    static_cast<void>(p.add(k_ecdsa256, {}));
    CHECK_EQ(p.bind_learned(), std::string());
    CHECK(contains(p.context.remarks.back(), "no key proposes an agent"));
    p.learn(k_ed25519, {"web01", "web01", "web01"});
    p.learn(k_rsa2048, {"db01", "db02", "db01"});
    p.learn(k_ecdsa256, {"x y", "x y", "x y"});
    const std::string out = p.bind_learned({}, "observe");
    CHECK(contains(out, "to agent \"web01\"\n"));
    CHECK(contains(out, "to agent \"x y\"\n"));
    CHECK(contains(out, "published generation 4:")); // one for all
    const auto record = p.find(k_ed25519);
    CHECK_EQ(record->agents[0].md5, std::string("2f527604e1deff1329720282d8d3cfa1"));
    CHECK(record->binding == keyring::Binding::observe);
    CHECK(p.find(k_rsa2048)->agents.empty());
    refused(ctl::Status::refused, "its packets do not agree",
            [&] { static_cast<void>(p.bind_learned({"key-349fba"})); });
    refused(ctl::Status::refused, "bound already",
            [&] { static_cast<void>(p.bind_learned({k_ed25519.fingerprint})); });
    refused(ctl::Status::usage, "leave --agent out", [&] {
        static_cast<void>(ctl::bind_learned(p.context, {.keys = {}, .agents = {"a"}, .binding = {}}));
    });
}

void a_packet_cannot_make_its_key_a_pattern() {
    BindPlace p;
    static_cast<void>(p.add(k_ed25519, {}));
    for (const std::string& name : {std::string("*"), std::string("web*"), std::string("../x"),
                                    std::string("-x"), std::string(), std::string(200, 'x')}) {
        p.learn(k_ed25519, {name, name, name});
        CHECK_EQ(p.bind_learned(), std::string());
        CHECK(p.find(k_ed25519)->agents.empty());
        CHECK(contains(ctl::list_learned(p.context, false), "  no "));
    }
}

void new_keys_are_held_against_the_policy() {
    BindPlace p;
    static_cast<void>(p.add(k_rsa2048, {"old"}));
    write_file(p.context.config, "[keys]\nmin_rsa_bits = 3072\ntypes = [\"rsa\", \"ecdsa\"]\n");
    p.context.remarks.clear();
    static_cast<void>(p.add(k_ed25519, {"a"})); // gate.toml is not in force yet
    static_cast<void>(ctl::publish_command(p.context));
    CHECK_EQ(
        p.context.remarks.back(),
        std::string("2 published key(s) would not be accepted by keys.types and keys.min_rsa_bits any more, "
                    "for instance a-711e0d; they go on being served"));
    CHECK(p.find(k_rsa2048)->state == keyring::KeyState::active);
    static_cast<void>(ctl::revoke_key(p.context, "a-", "x"));
    refused(ctl::Status::refused, "cannot be added again",
            [&] { static_cast<void>(p.add(k_ed25519, {"a"})); });
    CHECK(contains(p.add(k_rsa2048, {"old"}), "already there"));
    static_cast<void>(p.add(k_ecdsa256, {"b"}));
    write_file(p.context.config, "[keys]\ntypes = [\"rsa\"]\n");
    static_cast<void>(ctl::publish_command(p.context));
    refused(ctl::Status::bad_data, "keys of type ecdsa are not accepted here",
            [&] { static_cast<void>(p.add(k_ecdsa384, {"c"})); });
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(a_key_may_have_no_agent),
        GATE_TEST(a_policy_may_refuse_keys_without_agents),
        GATE_TEST(patterns_have_no_md5),
        GATE_TEST(a_key_for_everybody_is_remarked_on),
        GATE_TEST(a_binding_is_of_the_key),
        GATE_TEST(a_key_gets_more_agents),
        GATE_TEST(what_cannot_be_bound),
        GATE_TEST(what_packets_named_is_listed),
        GATE_TEST(keys_are_bound_to_what_they_learned),
        GATE_TEST(a_packet_cannot_make_its_key_a_pattern),
        GATE_TEST(new_keys_are_held_against_the_policy),
    };
    return cmocka_run_group_tests_name("ctl_bind", tests, nullptr, nullptr);
}
