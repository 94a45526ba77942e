#include "lib/enrol/message.h"

#include <algorithm>

namespace gate::enrol {

namespace {

// "pgE" and the version; then the wish or the answer; then the text.
constexpr std::string_view k_magic = "pgE1";
constexpr std::size_t k_head = k_magic.size() + 1;

[[nodiscard]] std::string packet(std::uint8_t what, std::string_view text) {
    std::string out{k_magic};
    out += static_cast<char>(what);
    return out += text;
}

[[nodiscard]] bool in_line(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

struct Parts {
    std::uint8_t what;
    std::string_view text;
};

[[nodiscard]] Result<Parts> take_apart(std::string_view bytes, std::uint8_t last, std::size_t most) {
    if (bytes.size() <= k_head)
        return std::unexpected(Error{Errc::bad_input, 0, "a message of the enrolment is too short"});
    if (!bytes.starts_with(k_magic))
        return std::unexpected(Error{Errc::version, 0, "a message of the enrolment is of another version"});
    const Parts parts{static_cast<std::uint8_t>(bytes[k_magic.size()]), bytes.substr(k_head)};
    if (parts.what == 0 || parts.what > last || parts.text.size() > most ||
        !std::all_of(parts.text.begin(), parts.text.end(), in_line))
        return std::unexpected(Error{Errc::bad_input, 0, "a message of the enrolment is malformed"});
    return parts;
}

} // namespace

std::string encode(const Request& request) {
    return packet(static_cast<std::uint8_t>(request.wish), request.line);
}

std::string encode(const Reply& reply) {
    return packet(static_cast<std::uint8_t>(reply.answer), reply.text);
}

Result<Request> decode_request(std::string_view bytes) {
    const auto parts = take_apart(bytes, static_cast<std::uint8_t>(Wish::rotate), k_max_line);
    if (!parts)
        return std::unexpected(parts.error());
    return Request{static_cast<Wish>(parts->what), std::string(parts->text)};
}

Result<Reply> decode_reply(std::string_view bytes) {
    const auto parts = take_apart(bytes, static_cast<std::uint8_t>(Answer::refused), k_max_text);
    if (!parts)
        return std::unexpected(parts.error());
    return Reply{static_cast<Answer>(parts->what), std::string(parts->text)};
}

} // namespace gate::enrol
