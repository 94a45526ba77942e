// One audit event as one line of JSON (RFC 8259), ASCII only.
//
// Strings are bytes that strangers may have chosen. A byte outside 0x20-0x7E becomes \u00XX, so one code
// point is one byte: nothing can end the line, move a cursor or forge a field, and the original bytes can be
// had back (decode as Latin-1).
#pragma once

#include "lib/audit/event.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gate::audit {

// Longest string shown of an untrusted field: longer than any name that is accepted, short enough that a
// whole event fits into the 2 kB that the smallest logger takes.
inline constexpr std::size_t k_max_text = 300;

class Line {
  public:
    explicit Line(Event event);
    Line& text(std::string_view name, std::string_view value, std::size_t cap = k_max_text);
    // As text(), but nothing at all for an empty value.
    Line& text_if(std::string_view name, std::string_view value, std::size_t cap = k_max_text);
    Line& number(std::string_view name, std::uint64_t value);
    [[nodiscard]] std::string finish();

  private:
    void name(std::string_view name);
    std::string out_;
};

} // namespace gate::audit
