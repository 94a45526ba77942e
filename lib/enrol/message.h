// What drop hands over to the enrolment service (`pandora-gate enrol serve`, root) and what it is told: one
// packet each way over a socket of type SOCK_SEQPACKET. drop speaks for a client and is believed nothing: the
// service takes the sender's process from the kernel (SO_PEERCRED), and what the login may do from the ticket
// that pam_pandora wrote for it (ticket.h).
#pragma once

#include "lib/base/result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gate::enrol {

inline constexpr const char* k_socket = "/run/pandora-gate/enrol.sock";

// A line of an RSA key of 16,384 bits has 2.8 kB; the comment may be long.
inline constexpr std::size_t k_max_line = 8192;
inline constexpr std::size_t k_max_text = 400; // of an answer: a line or two of a terminal

enum class Wish : std::uint8_t {
    enrol = 1,  // let this key in
    rotate = 2, // this key in place of the one that logged in
};

struct Request {
    Wish wish = Wish::enrol;
    std::string line; // of a .pub file, without its end; as the client sent it
};

enum class Answer : std::uint8_t {
    accepted = 1, // it may log in from now on
    pending = 2,  // it waits for the administrator
    refused = 3,
};

struct Reply {
    Answer answer = Answer::refused;
    std::string text; // for the client: one printable line, without its end
};

[[nodiscard]] std::string encode(const Request& request);
[[nodiscard]] std::string encode(const Reply& reply);
// Errors: version, bad_input (a wish or an answer that does not exist, an empty or too long text, a byte that
// cannot stand in a line: below 0x20 but for a tab, or 0x7F).
[[nodiscard]] Result<Request> decode_request(std::string_view packet);
[[nodiscard]] Result<Reply> decode_reply(std::string_view packet);

} // namespace gate::enrol
