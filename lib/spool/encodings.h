// The encodings that a packet may name and expat does not know, as maps of single bytes: agents run on what
// the administrators of the 1990s chose, and a parser that stops at the XML declaration has not seen what
// comes after it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace gate::spool {

enum class Alphabet : std::uint8_t {
    known,   // the map is that of the encoding
    guessed, // nobody's name: ASCII, and Latin-1 above it
    foreign, // its ASCII characters are other bytes, or other bytes make ASCII of some: no map says what it
             // holds
};

// `map`: the code point of each byte, -1 where there is none (as expat's XML_Encoding wants it). Names are
// compared without case and punctuation: `ISO_8859-15` and `iso885915` are one. A foreign one gets no map.
[[nodiscard]] Alphabet fill_map(std::string_view name, std::span<int, 256> map) noexcept;

} // namespace gate::spool
