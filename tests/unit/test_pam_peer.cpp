// pam_pandora/peer: rhost= against what services say of their clients.
#include "tests/unit/support.h"

#include "pam_pandora/peer.h"

using namespace gate;
using namespace gate::pam;

namespace {

bool matches(std::string_view peer, std::initializer_list<const char*> networks) {
    std::vector<Network> list;
    for (const char* text : networks) {
        Network network;
        const char* const why = parse_network(text, network);
        CHECK_MSG(why == nullptr, std::string(text) + ": " + (why != nullptr ? why : ""));
        list.push_back(network);
    }
    const auto address = parse_peer(peer);
    CHECK_MSG(address.has_value(), std::string(peer));
    return inside(*address, list);
}

void a_peer_is_in_its_networks_and_in_no_other() {
    CHECK(matches("192.0.2.7", {"192.0.2.7"}));
    CHECK(matches("192.0.2.7", {"192.0.2.0/24"}));
    CHECK(matches("192.0.2.7", {"10.0.0.0/8", "192.0.2.6/31"}));
    CHECK(matches("192.0.2.7", {"0.0.0.0/0"}));
    CHECK(!matches("192.0.2.7", {"192.0.2.8"}));
    CHECK(!matches("192.0.2.7", {"192.0.3.0/24", "10.0.0.0/8"}));
    CHECK(!matches("192.0.2.8", {"192.0.2.6/31"}));
    CHECK(matches("2001:db8::7", {"2001:db8::/32"}));
    CHECK(matches("2001:DB8:0::7", {"2001:db8::7"}));
    CHECK(!matches("2001:db9::7", {"2001:db8::/32"}));
    CHECK(matches("2001:db9::7", {"2001:db8::/31"}));
}

void the_two_families_do_not_meet() {
    CHECK(!matches("192.0.2.7", {"::/0"}));
    CHECK(!matches("::", {"0.0.0.0/0"}));
    CHECK(!matches("::1", {"0.0.0.0/0", "127.0.0.0/8"}));
    CHECK(!matches("::192.0.2.7", {"192.0.2.7"})); // the form of RFC 4291 2.5.5.1 is no IPv4 peer
}

void a_mapped_peer_matches_ipv4_rules_only() {
    CHECK(matches("::ffff:192.0.2.7", {"192.0.2.0/24"}));
    CHECK(matches("::FFFF:c000:207", {"192.0.2.7"}));
    CHECK(!matches("::ffff:192.0.2.7", {"192.0.3.0/24"}));
    CHECK(!matches("::ffff:192.0.2.7", {"::/0"}));
}

void a_zone_is_taken_off_the_peer() {
    CHECK(matches("fe80::1%eth0", {"fe80::/10"}));
    CHECK(matches("fe80::1%2", {"fe80::1"}));
    CHECK(!matches("fe80::1%eth0", {"fe80::2"}));
    for (const char* text : {"fe80::1%", "192.0.2.7%eth0", "%eth0", "host%eth0"})
        CHECK_MSG(!parse_peer(text), text);
}

void a_name_is_no_peer() {
    for (const char* text : {"", "UNKNOWN", "localhost", "agent.example.org", "192.0.2.7.example.org",
                             "192.0.2", "[::1]", "192.0.2.7:22", " 192.0.2.7", "192.0.2.7\n"})
        CHECK_MSG(!parse_peer(text), text);
}

void what_is_wrong_with_a_network_is_said() {
    const auto why = [](std::string_view text) {
        Network network;
        const char* const words = parse_network(text, network);
        return std::string(words != nullptr ? words : "nothing");
    };
    const std::string address = "not an address or network";
    for (const char* text : {"", "name", "10.0.0.*", "!10.0.0.1", "fe80::1%eth0", "[::1]", "/8"})
        CHECK_EQ(why(text), address);
    for (const char* text :
         {"10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "::/129", "10.0.0.0/255.0.0.0", "::/ 0"})
        CHECK(why(text).starts_with("not the length of a prefix"));
    for (const char* text : {"10.0.0.1/8", "10.0.0.1/0", "2001:db8::1/64", "::ffff:10.0.0.1/64"})
        CHECK(why(text).starts_with("names a host, not a network"));
    for (const char* text : {"::ffff:10.0.0.1", "::ffff:10.0.0.0/104", "::ffff:0:0/96"})
        CHECK(why(text).starts_with("an IPv4 address inside IPv6"));
    for (const char* text : {"::/0", "0.0.0.0/0", "10.0.0.1/32", "2001:db8::1/128"})
        CHECK_EQ(why(text), std::string("nothing"));
}

void random_bytes_are_survived() {
    auto random = test::seeded();
    for (int i = 0; i < 50'000; ++i) {
        std::string text;
        for (auto n = random() % 48; n > 0; --n)
            text += "0123456789abcdefF:::...//%\0x"[random() % 28];
        Network network;
        static_cast<void>(parse_network(text, network));
        static_cast<void>(parse_peer(text));
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {GATE_TEST(a_peer_is_in_its_networks_and_in_no_other),
                                GATE_TEST(the_two_families_do_not_meet),
                                GATE_TEST(a_mapped_peer_matches_ipv4_rules_only),
                                GATE_TEST(a_zone_is_taken_off_the_peer),
                                GATE_TEST(a_name_is_no_peer),
                                GATE_TEST(what_is_wrong_with_a_network_is_said),
                                GATE_TEST(random_bytes_are_survived)};
    return cmocka_run_group_tests_name("pam_peer", tests, nullptr, nullptr);
}
