// The word splitter against a second one, written the other way round: from the words' edges inwards.
#pragma once

#include "lib/spool/words.h"
#include "tests/fuzz/require.h"

#include <optional>
#include <vector>

namespace gate::fuzz {

using Words = std::optional<std::vector<std::string>>;

// POSIX.1-2017, XCU 2.2, by looking ahead for the end of each quoted part. No state is kept between
// characters.
[[nodiscard]] inline Words split_by_lookahead(std::string_view s) {
    constexpr std::string_view k_refused = "`$;|&<>()*?[\n";
    if (s.size() > spool::k_max_command || s.find('\0') != s.npos)
        return std::nullopt;
    std::vector<std::string> words;
    for (std::size_t at = 0;;) {
        // A line continuation in front of a word is nothing at all.
        while (at < s.size() && (s[at] == ' ' || s[at] == '\t' || s.substr(at, 2) == "\\\n"))
            at += s[at] == '\\' ? 2U : 1U;
        if (at == s.size())
            return words;
        if (s[at] == '#')
            return std::nullopt;
        std::string word;
        while (at < s.size() && s[at] != ' ' && s[at] != '\t') {
            const char c = s[at];
            if (c == '\'') {
                const std::size_t end = s.find('\'', at + 1);
                if (end == s.npos)
                    return std::nullopt;
                word += s.substr(at + 1, end - at - 1);
                at = end + 1;
            } else if (c == '"') {
                std::size_t end = at + 1;
                while (end < s.size() && s[end] != '"')
                    end += s[end] == '\\' ? 2U : 1U;
                if (end >= s.size())
                    return std::nullopt;
                for (std::size_t i = at + 1; i < end; ++i) {
                    if (s[i] == '$' || s[i] == '`')
                        return std::nullopt;
                    if (s[i] != '\\')
                        word += s[i];
                    else if (const char next = s[++i];
                             next == '$' || next == '`' || next == '"' || next == '\\')
                        word += next;
                    else if (next != '\n')
                        (word += '\\') += next;
                }
                at = end + 1;
            } else if (c == '\\') {
                if (at + 1 == s.size())
                    return std::nullopt;
                if (s[at + 1] != '\n')
                    word += s[at + 1];
                at += 2;
            } else if (k_refused.find(c) != k_refused.npos) {
                return std::nullopt;
            } else {
                word += c;
                ++at;
            }
        }
        if (words.size() == spool::k_max_words)
            return std::nullopt;
        words.push_back(std::move(word));
    }
}

// A line that a shell splits into just these words.
[[nodiscard]] inline std::string quote_words(const std::vector<std::string>& words) {
    std::string line;
    for (const std::string& word : words) {
        line += line.empty() ? "'" : " '";
        for (const char c : word)
            line += c == '\'' ? std::string("'\\''") : std::string(1, c);
        line += '\'';
    }
    return line;
}

inline void check_words(std::string_view input) {
    const Words words = spool::split_words(input);
    const Words again = split_by_lookahead(input);
    REQUIRE(words.has_value() == again.has_value());
    if (!words)
        return;
    REQUIRE(*words == *again);
    REQUIRE(words->size() <= spool::k_max_words);
    std::size_t total = 0;
    for (const std::string& word : *words) {
        REQUIRE(word.find('\0') == word.npos);
        total += word.size();
    }
    REQUIRE(total <= input.size());
    const std::string line = quote_words(*words);
    if (line.size() > spool::k_max_command)
        return;
    const Words back = spool::split_words(line);
    REQUIRE(back && *back == *words);
}

} // namespace gate::fuzz
