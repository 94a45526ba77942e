// What a packet's bytes are, as far as the policy asks: XML without a DOCTYPE, the root element, the agent
// that it names. Reads memory only: no file, no locale.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace gate::spool {

enum class Content : std::uint16_t {
    unchecked = 0, // content.check is off, or the file is no packet
    well_formed,
    malformed,   // delivered all the same, and counted: real agents do not escape attributes
    doctype,     // a DOCTYPE, or bytes of which it cannot be said that they hold none
    wrong_root,  // the root element is not agent_data
    too_complex, // more memory than the cap was needed to read it
    last_
};

struct Verdict {
    Content content = Content::unchecked;
    // UTF-8, as expat gives it; absent: the root start tag was not reached, or has none.
    std::optional<std::string> agent_name;
};

enum class Doctype : std::uint8_t {
    refuse,
    allow, // a human released the packet
};

} // namespace gate::spool
