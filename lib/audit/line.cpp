#include "lib/audit/line.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"

namespace gate::audit {

namespace {
void append_escaped(std::string& out, std::string_view text) {
    constexpr char k_hex[] = "0123456789abcdef";
    for (const char c : text) {
        const auto u = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (u >= 0x20 && u <= 0x7e) {
            out += c;
        } else {
            out += "\\u00";
            out += k_hex[u >> 4];
            out += k_hex[u & 15];
        }
    }
}
} // namespace

Line::Line(Event event) {
    out_.reserve(768);
    out_ = "{\"event\":\"";
    out_ += code(event);
    out_ += '"';
    text("time", format_utc(wall_clock_us()));
}

void Line::name(std::string_view name) {
    out_ += ",\"";
    out_ += name;
    out_ += "\":";
}

Line& Line::text(std::string_view field, std::string_view value, std::size_t cap) {
    name(field);
    out_ += '"';
    append_escaped(out_, value.substr(0, cap));
    if (value.size() > cap)
        out_ += "...";
    out_ += '"';
    return *this;
}

Line& Line::text_if(std::string_view field, std::string_view value, std::size_t cap) {
    return value.empty() ? *this : text(field, value, cap);
}

Line& Line::number(std::string_view field, std::uint64_t value) {
    name(field);
    append_u64(out_, value);
    return *this;
}

std::string Line::finish() {
    out_ += '}';
    return std::move(out_);
}

} // namespace gate::audit
