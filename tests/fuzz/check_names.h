// Names of packets: what is accepted, the Pandora server takes too (its own regular expression says so), and
// stays within every cap; more digits keep that and the agent; temporary names lead to accepted ones only.
#pragma once

#include "forcecmd/front/sftp/temporary.h"
#include "lib/spool/name.h"
#include "tests/fuzz/require.h"

#include <regex.h>

namespace gate::fuzz {

// The server's own words: ^.*[\._]\d+\.data$, and the same of checksums.
[[nodiscard]] inline bool server_takes(std::string_view name) {
    static const regex_t expression = [] {
        regex_t out{};
        if (::regcomp(&out, "^.*[._][0-9]+\\.(data|checksum)$", REG_EXTENDED | REG_NOSUB) != 0)
            std::abort();
        return out;
    }();
    return name.find('\0') == name.npos &&
           ::regexec(&expression, std::string(name).c_str(), 0, nullptr, 0) == 0;
}

[[nodiscard]] inline bool bytes_are_plain(std::string_view name) {
    for (const char c : name) {
        const auto u = static_cast<unsigned char>(c);
        if (u < 0x20 || u == 0x7f || u == '/')
            return false;
    }
    return !name.empty() && name.front() != '.' && name.front() != '-';
}

// Must be the name of a packet or checksum; `most` bytes long at most.
inline void require_published_form(std::string_view name, std::size_t most = spool::k_max_name) {
    REQUIRE(name.size() <= most);
    REQUIRE(bytes_are_plain(name));
    REQUIRE(server_takes(name));
}

inline void check_more_digits(std::string_view name, std::string_view agent, unsigned suffix) {
    const std::string longer = spool::extend_digits(name, suffix);
    REQUIRE(longer.size() == name.size() + spool::k_extra_digits);
    require_published_form(longer, spool::k_max_name + spool::k_extra_digits);
    REQUIRE(longer != name);
    REQUIRE(longer.ends_with(".data"));
    spool::FileName again;
    const spool::Reason reason = spool::parse_file_name(longer, again);
    if (longer.size() > spool::k_max_name)
        REQUIRE(reason == spool::Reason::name_length);
    else
        REQUIRE(reason == spool::Reason::none && again.agent == agent);
    REQUIRE(spool::extend_digits(name, suffix + 1) != longer ||
            suffix % 1'000'000 == (suffix + 1) % 1'000'000);
}

inline void check_names(std::string_view input) {
    spool::FileName parsed;
    const spool::Reason reason = spool::parse_file_name(input, parsed);
    const bool plain = spool::check_plain_name(input) == spool::Reason::none;
    REQUIRE(plain == (bytes_are_plain(input) && input.size() <= spool::k_max_name));
    if (reason == spool::Reason::none) {
        require_published_form(input);
        REQUIRE(!parsed.agent.empty() && input.starts_with(parsed.agent));
        REQUIRE(parsed.agent.data() == input.data());
        const bool packet = input.ends_with(".data");
        REQUIRE(packet == (parsed.kind == spool::FileName::Kind::packet));
        REQUIRE(!drop::sftp::final_name(input));
        if (packet)
            for (const unsigned suffix : {0U, 1U, 63U, 999'999U, 1'000'000U, ~0U})
                check_more_digits(input, parsed.agent, suffix);
    } else if (plain && server_takes(input)) {
        // Refused although the server would take it: only because nothing is left for the agent.
        REQUIRE(input.find_last_of("._", input.rfind('.') - 1) == 0);
    }
    if (const auto final = drop::sftp::final_name(input)) {
        require_published_form(*final);
        REQUIRE(final->size() < input.size() && input.find(*final) != input.npos);
        REQUIRE(spool::parse_file_name(*final, parsed) == spool::Reason::none);
        REQUIRE(reason != spool::Reason::none);
    }
}

} // namespace gate::fuzz
