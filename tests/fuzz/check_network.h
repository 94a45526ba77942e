// Networks: what is taken has one spelling, and sshd takes it, as a model of its addr_pton_cidr says.
#pragma once

#include "gatectl/keys/network.h"
#include "gatectl/problem.h"
#include "tests/fuzz/require.h"

#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <span>

namespace gate::fuzz {

// One line for a terminal, with this status.
inline void require_said(const ctl::Problem& problem, ctl::Status status) {
    const std::string_view said = problem.what();
    REQUIRE(problem.status() == status);
    REQUIRE(!said.empty());
    for (const char c : said)
        REQUIRE_MSG(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, escape_visible(said, 1000));
}

// OpenSSH's addr.c: a numeric address by getaddrinfo, a length, and no bits behind it; a list in from= has
// room for k_max_entry bytes of each (addrmatch.c).
inline void require_sshd_takes(const std::string& text) {
    constexpr std::size_t k_max_entry = INET6_ADDRSTRLEN + 3;
    REQUIRE(text.size() <= k_max_entry);
    REQUIRE(text.find_first_not_of("0123456789abcdef.:/") == std::string::npos);
    const std::size_t slash = text.find('/');
    const std::string name = text.substr(0, slash);
    addrinfo hints{};
    hints.ai_flags = AI_NUMERICHOST;
    addrinfo* found = nullptr;
    REQUIRE(::getaddrinfo(name.c_str(), nullptr, &hints, &found) == 0 && found != nullptr);
    std::array<std::uint8_t, 16> bytes{};
    unsigned bits = 32;
    if (found->ai_family == AF_INET6) {
        bits = 128;
        std::memcpy(bytes.data(),
                    reinterpret_cast<const char*>(found->ai_addr) + offsetof(sockaddr_in6, sin6_addr), 16);
    } else {
        std::memcpy(bytes.data(),
                    reinterpret_cast<const char*>(found->ai_addr) + offsetof(sockaddr_in, sin_addr), 4);
    }
    ::freeaddrinfo(found);
    const unsigned length =
        slash == text.npos ? bits : static_cast<unsigned>(std::stoul(text.substr(slash + 1)));
    REQUIRE(length < bits || slash == text.npos);
    for (unsigned bit = length; bit < bits; ++bit)
        REQUIRE((bytes[bit / 8] & (0x80U >> (bit % 8))) == 0);
    // A peer that is mapped IPv4 is IPv4 to sshd.
    constexpr std::array<std::uint8_t, 12> k_mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    REQUIRE(bits == 32 || length < 96 || std::memcmp(bytes.data(), k_mapped.data(), k_mapped.size()) != 0);
}

inline void check_network(std::string_view input) {
    try {
        const std::string network = ctl::parse_network(input);
        require_sshd_takes(network);
        REQUIRE(ctl::parse_network(network) == network);
    } catch (const ctl::Problem& problem) {
        require_said(problem, ctl::Status::usage);
    }
}

} // namespace gate::fuzz
