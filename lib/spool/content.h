// Content: what a packet holds, before it may lie where the Pandora server parses it as root. Reads it with
// expat and trusts nothing of it.
//
// A DOCTYPE is what matters: with some of Perl's parsers the server fetches external entities. A packet that
// is merely malformed is delivered, because real agents do not escape what they write into attributes; so "it
// is malformed" may only be said of bytes of which it is sure that no parser finds a DOCTYPE in them.
#pragma once

#include "lib/spool/capped_heap.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

struct XML_ParserStruct; // expat's

namespace gate::spool {

enum class Content : std::uint16_t {
    unchecked = 0, // content.check is off, or the file is no packet
    well_formed,
    malformed,   // delivered all the same, and counted: real agents do not escape attributes
    doctype,     // a DOCTYPE, or bytes of which it cannot be said that they hold none
    wrong_root,  // the root element is not agent_data
    too_complex, // more memory than the cap was needed to read it
    last_        // not a verdict: how many there are
};

struct Verdict {
    Content content = Content::unchecked;
    // Of the root element, UTF-8, of any length; absent: its start tag was not reached, or has none.
    std::optional<std::string> agent_name;
};

enum class Doctype : std::uint8_t {
    refuse,
    allow, // a human released it; external entities are not fetched here either
};

// The most memory that expat may have for a packet of `size` bytes. An attribute as large as the packet takes
// 2.1 bytes for each, 5.3 if they grow to three in UTF-8, because expat's buffers double; what agents write
// takes 0.2 MB at any size. 2 MB of start tags would take 25 MB.
[[nodiscard]] constexpr std::size_t content_memory_cap(std::size_t size) {
    constexpr std::size_t k_base = 1 << 20;
    constexpr std::size_t k_per_byte = 6;
    // Enough for an attribute of 8 MB, whatever max_file_size is: there are many sessions.
    constexpr std::size_t k_ceiling = 32 << 20;
    return k_base + std::min(size, (k_ceiling - k_base) / k_per_byte) * k_per_byte;
}

class ContentChecker {
  public:
    ContentChecker();
    ~ContentChecker();
    ContentChecker(const ContentChecker&) = delete;
    ContentChecker& operator=(const ContentChecker&) = delete;

    // The verdict on a whole packet. No system call but for memory, once an object was made.
    [[nodiscard]] Verdict check(std::span<const std::byte> packet, Doctype rule = Doctype::refuse) noexcept;

    // The most that expat had for the last packet, and what it keeps for the next (bytes).
    [[nodiscard]] std::size_t peak_memory() const { return heap_.peak(); }
    [[nodiscard]] std::size_t kept_memory() const { return heap_.live(); }

  private:
    struct Free {
        void operator()(XML_ParserStruct* parser) const noexcept;
    };
    [[nodiscard]] bool prepare() noexcept;

    CappedHeap heap_;
    unsigned long salt_ = 0;
    std::unique_ptr<XML_ParserStruct, Free> parser_; // goes before the heap that it lies in
};

} // namespace gate::spool
