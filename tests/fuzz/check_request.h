// What a client asks for: the same whatever the quoting, never a read, and every refusal has its reason.
#pragma once

#include "lib/spool/request.h"
#include "tests/fuzz/check_words.h"

#include <algorithm>

namespace gate::fuzz {

[[nodiscard]] inline bool same_request(const spool::ClientRequest& a, const spool::ClientRequest& b) {
    return a.kind == b.kind && a.reason == b.reason && a.scp_protocol == b.scp_protocol &&
           a.target == b.target && a.recursive == b.recursive &&
           a.target_is_directory == b.target_is_directory;
}

// scp's options as a reader of the manual would find them: letters of words that begin with '-', up to the
// first word that does not, or "--".
inline void check_scp_sink(const spool::ClientRequest& request, const std::vector<std::string>& words) {
    std::string letters;
    std::size_t at = 1;
    for (; at < words.size() && words[at].size() > 1 && words[at][0] == '-'; ++at) {
        if (words[at] == "--") {
            ++at;
            break;
        }
        letters += words[at].substr(1);
    }
    REQUIRE(letters.find_first_not_of("rvpdtq") == letters.npos);
    REQUIRE(letters.find('t') != letters.npos);
    REQUIRE(request.recursive == (letters.find('r') != letters.npos));
    REQUIRE(request.target_is_directory == (letters.find('d') != letters.npos));
    REQUIRE(words.size() - at <= 1);
    REQUIRE(request.target == (at < words.size() ? words[at] : std::string()));
}

inline void check_request(std::string_view input) {
    using Kind = spool::ClientRequest::Kind;
    const auto request = spool::parse_request(std::string(input));
    const Words words = split_by_lookahead(input);
    const bool refused = request.kind == Kind::refused;
    REQUIRE(refused == (request.reason != spool::Reason::none));
    REQUIRE(refused || !request.scp_protocol);
    switch (request.kind) {
    case Kind::interactive:
        REQUIRE(input.empty());
        return;
    case Kind::exit:
        REQUIRE(input == "exit");
        return;
    case Kind::sftp:
        REQUIRE(input.find("sftp") != input.npos);
        return;
    case Kind::scp_sink:
        REQUIRE(words && !words->empty());
        REQUIRE(words->front().substr(words->front().rfind('/') + 1) == "scp");
        check_scp_sink(request, *words);
        break;
    case Kind::refused:
        REQUIRE(!input.empty());
        break;
    }
    // In other quotes the words are the same words; only the SFTP server's name is taken as it is written.
    if (!words || words->empty())
        return;
    const std::string line = quote_words(*words);
    const auto requoted = spool::parse_request(line);
    if (line.size() <= spool::k_max_command && requoted.kind != Kind::sftp)
        REQUIRE(same_request(requoted, request));
}

} // namespace gate::fuzz
