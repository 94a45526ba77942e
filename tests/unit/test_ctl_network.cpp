// Addresses and networks that a key may come from.
#include "tests/unit/support.h"

#include "gatectl/keys/network.h"
#include "gatectl/problem.h"
#include "lib/keyring/record.h"

using namespace gate;
using namespace gate::test;

namespace {

void refused(std::string_view text, std::string_view words) {
    try {
        const std::string taken = ctl::parse_network(text);
        raise(__FILE__, __LINE__, std::string(text) + " was taken as " + taken);
    } catch (const ctl::Problem& problem) {
        const std::string_view said = problem.what();
        CHECK_MSG(said.find(words) != said.npos, std::string(said) + " does not say " + std::string(words));
        CHECK(said.find('\n') == said.npos);
        CHECK_EQ(static_cast<int>(problem.status()), static_cast<int>(ctl::Status::usage));
    }
}

void addresses_and_networks_become_canonical() {
    const std::pair<const char*, const char*> cases[] = {
        {"10.0.0.5", "10.0.0.5"},
        {"10.0.0.5/32", "10.0.0.5"},
        {"10.0.0.0/8", "10.0.0.0/8"},
        {"10.128.0.0/9", "10.128.0.0/9"},
        {"192.168.1.254/31", "192.168.1.254/31"},
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"255.255.255.255", "255.255.255.255"},
        {"2001:DB8:0:0::1", "2001:db8::1"},
        {"2001:0db8::1/128", "2001:db8::1"},
        {"2001:db8::/32", "2001:db8::/32"},
        {"2001:db8:8000::/33", "2001:db8:8000::/33"},
        {"::/0", "::/0"},
        {"::1", "::1"},
        {"fe80::/10", "fe80::/10"},
        {"64:ff9b::192.0.2.1", "64:ff9b::c000:201"},
    };
    for (const auto& [text, canonical] : cases) {
        CHECK_EQ(ctl::parse_network(text), std::string(canonical));
        CHECK_EQ(ctl::parse_network(canonical), std::string(canonical));
    }
}

void a_host_is_not_a_network() {
    refused("10.0.0.5/8", "10.0.0.5/8 names a host, not a network: did you mean 10.0.0.0/8 or 10.0.0.5?");
    refused("10.0.0.1/0", "did you mean 0.0.0.0/0 or 10.0.0.1?");
    refused("192.168.1.255/31", "did you mean 192.168.1.254/31 or 192.168.1.255?");
    refused("2001:db8::1/64", "did you mean 2001:db8::/64 or 2001:db8::1?");
    refused("2001:db8:8000::/32", "did you mean 2001:db8::/32 or 2001:db8:8000::?");
}

// sshd makes a peer that came as ::ffff:192.0.2.1 192.0.2.1: such an entry would never match.
void mapped_addresses_are_refused() {
    refused("::ffff:192.0.2.1", "sshd never compares with: write 192.0.2.1");
    refused("::FFFF:c000:201", "write 192.0.2.1");
    refused("::ffff:10.0.0.0/104", "write 10.0.0.0/8");
    refused("::ffff:0:0/96", "write 0.0.0.0/0");
    refused("::ffff:10.0.0.5/104", "write 10.0.0.0/8");
    refused("::ffff:10.0.0.5/64", "names a host");
    CHECK_EQ(ctl::parse_network("::fffe:192.0.2.1"), std::string("::fffe:c000:201"));
}

void everything_else_has_its_own_words() {
    refused("", "empty");
    refused("localhost", "is a name");
    refused("web-01.example.org", "is a name");
    refused("abc", "is a name");
    refused("*", "pattern");
    refused("10.0.*", "pattern");
    refused("10.0.0.?", "pattern");
    refused("!10.0.0.1", "only what is allowed");
    refused("fe80::1%eth0", "interface");
    refused("10.0.0.1, 10.0.0.2", "blank");
    refused("10.0.0.1,10.0.0.2", "comma");
    refused(" 10.0.0.1", "blank");
    refused("[::1]", "brackets");
    refused("10.0.0.1:22", "without a port");
    refused("10.0.0", "four numbers");
    refused("10.0.0.256", "four numbers");
    refused("010.0.0.1", "four numbers");
    refused("1.2.3.4.5", "four numbers");
    refused("2001:db8", "no IPv6 address");
    refused("1:2:3:4:5:6:7:8:9", "no IPv6 address");
    refused("::1::", "no IPv6 address");
    refused("10.0.0.0/255.0.0.0", "network mask");
    refused("2001:db8::/ffff::", "network mask");
    for (const char* text : {"10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/+8", "10.0.0.0/8/8",
                             "10.0.0.0/ 8", "10.0.0.0/99999999999999999999", "10.0.0.0/00"})
        refused(text, "prefix length from 0 to 32");
    refused("::/129", "prefix length from 0 to 128");
    refused("167772160", "is a name");
    refused(std::string("10.0.0.1\0", 9), "\\x00");
    refused("10.0.0.1\n", "\\x0a");
    refused("10.0.0.1\"", "\"");
    refused(std::string(5000, '1'), "...");
}

void lists_are_without_repetitions_and_bounded() {
    const auto out =
        ctl::check_networks({"10.0.0.1", "10.0.0.1/32", "2001:DB8::1", "10.0.0.0/8", "2001:db8::1"});
    CHECK_EQ(out.size(), std::size_t{3});
    CHECK_EQ(out[0], std::string("10.0.0.1"));
    CHECK_EQ(out[1], std::string("2001:db8::1"));
    CHECK_EQ(out[2], std::string("10.0.0.0/8"));
    CHECK(ctl::check_networks({}).empty());
    std::vector<std::string> many;
    for (std::size_t i = 0; i < keyring::k_max_from; ++i)
        many.push_back("10.0.0." + std::to_string(i));
    many.push_back("10.0.0.0"); // a repetition does not count
    CHECK_EQ(ctl::check_networks(many).size(), keyring::k_max_from);
    many.push_back("10.1.0.0");
    try {
        static_cast<void>(ctl::check_networks(many));
        raise(__FILE__, __LINE__, "too many were taken");
    } catch (const ctl::Problem& problem) {
        CHECK(std::string_view(problem.what()).find("more than 64") != std::string_view::npos);
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(addresses_and_networks_become_canonical),
        GATE_TEST(a_host_is_not_a_network),
        GATE_TEST(mapped_addresses_are_refused),
        GATE_TEST(everything_else_has_its_own_words),
        GATE_TEST(lists_are_without_repetitions_and_bounded),
    };
    return cmocka_run_group_tests_name("ctl_network", tests, nullptr, nullptr);
}
