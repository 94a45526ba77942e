#include "gatectl/keys/network.h"

#include "gatectl/problem.h"
#include "lib/base/network.h"
#include "lib/base/text.h"
#include "lib/keyring/record.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>

namespace gate::ctl {

namespace {

constexpr std::size_t k_shown = 64; // of what was written, in a message

[[noreturn]] void bad(std::string_view text, std::string_view why) {
    stop(Status::usage, "{} {}", escape_visible(text, k_shown), why);
}

[[nodiscard]] std::string write(const Address& address, unsigned length) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (::inet_ntop(address.family, address.bytes.data(), text.data(), text.size()) == nullptr)
        stop(Status::internal, "inet_ntop failed");
    std::string out = text.data();
    return length == address.bits() ? out : out + '/' + std::to_string(length);
}

// What is none of ours, but looks like something that from= or people know.
[[noreturn]] void refuse_other_forms(std::string_view text, std::string_view address) {
    const auto has = [text](std::string_view any) { return text.find_first_of(any) != text.npos; };
    if (text.empty())
        stop(Status::usage, "an empty text is no address: give an address or a network like 10.0.0.0/8");
    if (has(" \t"))
        bad(text, "holds a blank: give one address or network at a time");
    if (text.front() == '!')
        bad(text, "excludes something: only what is allowed can be listed, so list the networks that are");
    if (has("*?"))
        bad(text, "is a pattern: write a network like 10.0.0.0/8 or 2001:db8::/32");
    if (has("%"))
        bad(text, "names an interface of this machine (a zone): write the address without it");
    if (has(","))
        bad(text, "holds a comma: give one address or network at a time");
    if (has("[]"))
        bad(text, "has brackets: write the address without them, and without a port");
    const bool numeric = address.find_first_not_of("0123456789.") == address.npos;
    if (numeric && address.find('.') != address.npos)
        bad(text, "is no IPv4 address: write four numbers from 0 to 255, without leading zeros");
    if (address.find(':') != address.npos)
        bad(text, "is no IPv6 address: write groups of hexadecimal digits, like 2001:db8::1, without a port");
    bad(text, "is a name: a login must not depend on DNS, so give addresses or networks like 10.0.0.0/8");
}

// What stands behind the slash. No slash: the whole address.
[[nodiscard]] unsigned read_length(std::string_view text, const Address& address, std::size_t slash) {
    if (slash == text.npos)
        return address.bits();
    const std::string_view digits = text.substr(slash + 1);
    if (parse_address(digits))
        bad(text, "has a network mask: write the length of the prefix, like 10.0.0.0/8 for 255.0.0.0");
    const auto length = parse_prefix_length(digits, address.bits());
    if (!length)
        bad(text, address.family == AF_INET ? "has no prefix length from 0 to 32 behind its slash"
                                            : "has no prefix length from 0 to 128 behind its slash");
    return *length;
}

} // namespace

std::string parse_network(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto address = parse_address(text.substr(0, slash));
    if (!address)
        refuse_other_forms(text, text.substr(0, slash));
    const unsigned length = read_length(text, *address, slash);
    if (address->is_mapped() && length >= k_mapped_bits)
        bad(text, fmt::format(
                      "is an IPv4 address inside IPv6, which sshd never compares with: write {}",
                      write(network_of(unmapped(*address), length - k_mapped_bits), length - k_mapped_bits)));
    const Address network = network_of(*address, length);
    if (network.bytes != address->bytes)
        bad(text, fmt::format("names a host, not a network: did you mean {} or {}?", write(network, length),
                              write(*address, address->bits())));
    return write(network, length);
}

std::vector<std::string> check_networks(const std::vector<std::string>& networks) {
    std::vector<std::string> out;
    for (const std::string& text : networks) {
        std::string network = parse_network(text);
        if (std::find(out.begin(), out.end(), network) != out.end())
            continue;
        if (out.size() == keyring::k_max_from)
            stop(Status::usage, "there are more than {} addresses and networks: give larger networks",
                 keyring::k_max_from);
        out.push_back(std::move(network));
    }
    return out;
}

} // namespace gate::ctl
