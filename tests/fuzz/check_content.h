// Content: never a crash, and within the cap; the verdict does not depend on what the checker read before;
// where a plain expat, or one that takes any encoding for Latin-1, comes to a DOCTYPE, the verdict lets none
// through.
#pragma once

#include "lib/spool/content.h"
#include "tests/fuzz/require.h"

#include <algorithm>
#include <expat.h>

namespace gate::fuzz {

struct Reference {
    XML_Parser parser = nullptr;
    bool doctype = false;
    bool read_on = false; // past an encoding that expat does not know
    bool guessed = false; // it came to one
    bool well_formed = false;
    std::string root;
    std::optional<std::string> agent_name;
};

inline void see_doctype(void* data, const XML_Char*, const XML_Char*, const XML_Char*, int) {
    static_cast<Reference*>(data)->doctype = true;
}

inline void see_element(void* data, const XML_Char* name, const XML_Char** attributes) {
    auto& seen = *static_cast<Reference*>(data);
    if (!seen.root.empty())
        return;
    seen.root = name;
    for (; *attributes != nullptr; attributes += 2)
        if (std::string_view(attributes[0]) == "agent_name")
            seen.agent_name = attributes[1];
}

inline int read_as_latin1(void* data, const XML_Char*, XML_Encoding* encoding) {
    for (int i = 0; i < 256; ++i)
        encoding->map[i] = i;
    encoding->data = nullptr;
    encoding->convert = nullptr;
    encoding->release = nullptr;
    auto& seen = *static_cast<Reference*>(data);
    seen.guessed = true;
    return seen.read_on ? XML_STATUS_OK : XML_STATUS_ERROR;
}

// The same in one piece, by a parser without limits.
[[nodiscard]] inline Reference read_plainly(std::string_view input, bool read_on) {
    Reference seen;
    seen.read_on = read_on;
    seen.parser = XML_ParserCreate(nullptr);
    REQUIRE(seen.parser != nullptr);
    XML_SetUserData(seen.parser, &seen);
    XML_SetStartElementHandler(seen.parser, see_element);
    XML_SetStartDoctypeDeclHandler(seen.parser, see_doctype);
    XML_SetUnknownEncodingHandler(seen.parser, read_as_latin1, &seen);
    seen.well_formed =
        XML_Parse(seen.parser, input.data(), static_cast<int>(input.size()), 1) == XML_STATUS_OK;
    XML_ParserFree(seen.parser);
    return seen;
}

// As every parser of markup would write it, in bytes of one, two or four.
[[nodiscard]] inline bool spells_doctype(std::string_view input) {
    std::string plain;
    for (const char c : input)
        if (c != '\0')
            plain += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return plain.find("<!DOCTYPE") != plain.npos || plain.find("<!ENTITY") != plain.npos;
}

inline void require_reference(const spool::Verdict& verdict, const Reference& seen) {
    using enum spool::Content;
    if (verdict.content == too_complex)
        return;
    if (seen.doctype)
        REQUIRE(verdict.content == doctype);
    if (seen.guessed || verdict.content == doctype)
        return; // in the right encoding some bytes are other characters
    REQUIRE(verdict.agent_name == seen.agent_name);
    REQUIRE((verdict.content == wrong_root) == (!seen.root.empty() && seen.root != "agent_data"));
    REQUIRE(verdict.content != well_formed || seen.well_formed);
    REQUIRE(verdict.content != malformed || !seen.well_formed);
}

inline void check_content(std::string_view input) {
    static spool::ContentChecker reused;
    using enum spool::Content;
    const auto packet = std::as_bytes(std::span(input));
    const spool::Verdict verdict = reused.check(packet);
    REQUIRE(reused.peak_memory() <= spool::content_memory_cap(input.size()));
    REQUIRE(reused.kept_memory() <= 256 << 10);
    REQUIRE(verdict.content > unchecked && verdict.content < last_);

    spool::ContentChecker fresh;
    const spool::Verdict again = fresh.check(packet);
    REQUIRE(again.content == verdict.content && again.agent_name == verdict.agent_name);

    const Reference plain = read_plainly(input, false);
    require_reference(verdict, plain);
    const Reference latin1 = read_plainly(input, true);
    require_reference(verdict, latin1);
    // Without a start tag nothing may even look like one.
    if (verdict.content == malformed && !verdict.agent_name && plain.root.empty() && latin1.root.empty())
        REQUIRE(!spells_doctype(input));

    // A human lets a DOCTYPE through, and nothing else.
    const spool::Verdict released = reused.check(packet, spool::Doctype::allow);
    REQUIRE(released.content != doctype);
    REQUIRE(reused.peak_memory() <= spool::content_memory_cap(input.size()));
    if (verdict.content != doctype)
        REQUIRE(released.content == verdict.content && released.agent_name == verdict.agent_name);
}

} // namespace gate::fuzz
