// What front and publisher say to each other: one fixed-size message a request, one a reply, over a
// SOCK_SEQPACKET pair. The front parses what strangers send and may have been taken over by them: the
// publisher believes nothing that is in a Request.
#pragma once

#include "lib/spool/content.h"
#include "lib/spool/reason.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string_view>

namespace gate::drop {

enum class Op : std::uint32_t {
    begin = 1, // file, name, declared
    deliver,   // name, declared, size, content, verdict: begin and commit in one, for a file that a Grant has
               // let in
    rename,    // file, name: it will be published under that name
    commit,    // file, size, content, verdict
    abort,     // file (or k_no_file and its name), size, reason; no answer
    note, // reason, name = what was asked for: a refusal that the front decided, for the audit; no answer
    bye,  // size = the exit status; no answer, the session is over
};

inline constexpr std::uint64_t k_unknown_size = std::numeric_limits<std::uint64_t>::max();
// Files that one session may have open at the same time: clients use one; each costs a reservation.
inline constexpr std::uint32_t k_max_open_files = 8;

// Files are numbered by the front, from 0; this is none of them.
inline constexpr std::uint32_t k_no_file = std::numeric_limits<std::uint32_t>::max();
// Content up to this size rides in the message itself; what is larger is a sealed memfd. Most packets are
// smaller (0.3-21 kB), and a memfd costs more than copying this much.
inline constexpr std::size_t k_max_inline = 32 * 1024;

struct Request {
    Op op{};
    std::uint32_t file = k_no_file;
    std::uint64_t declared = k_unknown_size; // of begin and deliver: bytes, if the client said
    std::uint64_t size = 0;                  // of what has arrived, bytes
    spool::Reason reason{};
    // Of commit and deliver: the client has sent more. Told before the answer whether room is granted for the
    // next file, the front goes on with it meanwhile.
    bool ahead = false;
    std::uint16_t text_size = 0;
    std::array<char, 300> text{}; // the longest name that is accepted, and more of one that is not

    // Of commit and deliver: what the front read in the content. It may be a lie: it binds nobody but the
    // front's own client.
    spool::Content content{};
    std::uint16_t agent_size = 0;
    bool has_agent = false;
    std::array<char, 256> agent{}; // longer than the name of any agent that a key can have

    void set_verdict(const spool::Verdict& verdict) {
        content = verdict.content;
        has_agent = verdict.agent_name.has_value();
        const std::string_view name = has_agent ? std::string_view(*verdict.agent_name) : std::string_view{};
        agent_size = static_cast<std::uint16_t>(std::min(name.size(), agent.size()));
        std::copy_n(name.begin(), agent_size, agent.begin());
    }
    [[nodiscard]] spool::Verdict get_verdict() const {
        spool::Verdict out{content, std::nullopt};
        if (has_agent)
            out.agent_name.emplace(agent.data(), std::min<std::size_t>(agent_size, agent.size()));
        return out;
    }
    void set_text(std::string_view value) {
        text_size = static_cast<std::uint16_t>(std::min(value.size(), text.size()));
        std::copy_n(value.begin(), text_size, text.begin());
    }
    [[nodiscard]] std::string_view get_text() const {
        return {text.data(), std::min<std::size_t>(text_size, text.size())};
    }
};

// Either the answer to a request, or, unasked, a Grant: the publisher has made room for one more file, so
// that the front may let it in without asking. Any begin that is asked takes the grant back. To a request
// that is `ahead`, a grant, or no_grant, comes before the answer.
struct Reply {
    enum class Kind : std::uint16_t { answer = 1, grant, no_grant };
    Kind kind = Kind::answer;
    spool::Reason reason{};
    std::uint32_t any_size = 0;     // of a grant: also for a file whose size is not known
    std::uint64_t granted_size = 0; // of a grant: bytes
};

} // namespace gate::drop
