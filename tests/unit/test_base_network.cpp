// lib/base/network: addresses and prefixes.
#include "tests/unit/support.h"

#include "lib/base/network.h"

#include <arpa/inet.h>

using namespace gate;

namespace {

void addresses_are_numbers() {
    for (const char* text : {"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "::1", "2001:DB8::1", "fe80::1",
                             "::ffff:192.0.2.1", "1:2:3:4:5:6:7:8"})
        CHECK_MSG(parse_address(text).has_value(), text);
    for (const char* text :
         {"", " ", "192.0.2", "192.0.2.1 ", "192.0.2.256", "192.0.2.01", "0x7f.1", "2130706433",
          "::1::", "fe80::1%eth0", "[::1]", "192.0.2.1:22", "localhost", "UNKNOWN", "1:2:3:4:5:6:7:8:9"})
        CHECK_MSG(!parse_address(text), text);
    CHECK(!parse_address(std::string_view("::1\0", 4)));
    CHECK(!parse_address(std::string(1000, '1')));
    CHECK(parse_address("2001:DB8::1") == parse_address("2001:0db8:0:0:0::1"));
    CHECK(parse_address("0.0.0.0") != parse_address("::"));
}

void a_mapped_address_is_told_from_others_and_becomes_ipv4() {
    const auto mapped = parse_address("::ffff:192.0.2.1");
    CHECK(mapped && mapped->is_mapped());
    CHECK(unmapped(*mapped) == *parse_address("192.0.2.1"));
    for (const char* text : {"192.0.2.1", "::192.0.2.1", "::fffe:192.0.2.1", "64:ff9b::192.0.2.1", "::"})
        CHECK_MSG(!parse_address(text)->is_mapped(), text);
}

// Against a second opinion: each bit by itself.
void a_network_has_no_bits_behind_its_prefix() {
    auto random = test::seeded();
    for (const int family : {AF_INET, AF_INET6}) {
        for (int i = 0; i < 500; ++i) {
            Address address{family, {}};
            for (unsigned byte = 0; byte < address.bits() / 8; ++byte)
                address.bytes[byte] = static_cast<std::uint8_t>(random());
            const auto length = static_cast<unsigned>(random() % (address.bits() + 1));
            const Address network = network_of(address, length);
            for (unsigned bit = 0; bit < address.bits(); ++bit) {
                const auto is_set = [bit](const Address& a) {
                    return (a.bytes[bit / 8] >> (7 - bit % 8) & 1) != 0;
                };
                CHECK_EQ(is_set(network), bit < length && is_set(address));
            }
        }
    }
}

void a_prefix_length_is_canonical_and_bounded() {
    CHECK_EQ(parse_prefix_length("0", 32).value_or(99), 0U);
    CHECK_EQ(parse_prefix_length("32", 32).value_or(99), 32U);
    CHECK_EQ(parse_prefix_length("128", 128).value_or(99), 128U);
    for (const char* text :
         {"", "33", "08", "00", "+8", "-1", " 8", "8 ", "8/8", "255.0.0.0", "99999999999999999999"})
        CHECK_MSG(!parse_prefix_length(text, 32), text);
    CHECK(!parse_prefix_length("129", 128));
}

} // namespace

int main() {
    const CMUnitTest tests[] = {GATE_TEST(addresses_are_numbers),
                                GATE_TEST(a_mapped_address_is_told_from_others_and_becomes_ipv4),
                                GATE_TEST(a_network_has_no_bits_behind_its_prefix),
                                GATE_TEST(a_prefix_length_is_canonical_and_bounded)};
    return cmocka_run_group_tests_name("base_network", tests, nullptr, nullptr);
}
