// What front and publisher say to each other: one fixed-size message a request, one a reply, over a
// SOCK_SEQPACKET pair. The front parses what strangers send and may have been taken over by them: the
// publisher believes nothing that is in a Request.
#pragma once

#include "lib/spool/reason.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string_view>

namespace gate::drop {

enum class Op : std::uint32_t {
    begin = 1, // name, size or k_unknown_size -> a file number
    rename,    // file, name: it will be published under that name
    commit,    // file; carries the sealed memfd with its content
    abort,     // file, reason; no reply
    note,      // reason, name = what was asked for: a refusal that the front decided, for the audit; no reply
    bye,       // reason, size = the exit status; no reply, the session is over
};

inline constexpr std::uint64_t k_unknown_size = std::numeric_limits<std::uint64_t>::max();
// Files that one session may have open at the same time: clients use one; each costs a reservation.
inline constexpr std::uint32_t k_max_open_files = 8;

struct Request {
    Op op{};
    std::uint32_t file = 0;
    std::uint64_t size = k_unknown_size;
    spool::Reason reason{};
    std::uint16_t text_size = 0;
    std::array<char, 300> text{}; // the longest name that is accepted, and more of one that is not

    void set_text(std::string_view value) {
        text_size = static_cast<std::uint16_t>(std::min(value.size(), text.size()));
        std::copy_n(value.begin(), text_size, text.begin());
    }
    [[nodiscard]] std::string_view get_text() const {
        return {text.data(), std::min<std::size_t>(text_size, text.size())};
    }
};

struct Reply {
    spool::Reason reason{};
    std::uint32_t file = 0;
};

} // namespace gate::drop
