// The SCP sink against the protocol written down once more, as a reader of the whole conversation: which
// answers there have to be, one for each record and file, and what is delivered.
#pragma once

#include "forcecmd/front/scp/sink.h"
#include "tests/fuzz/model_dropbox.h"
#include "tests/fuzz/peak.h"

namespace gate::fuzz {

struct Conversation {
    std::string answers; // '+' = NUL, '-' = an error
    std::vector<ModelDropbox::Delivered> delivered;
    bool clean = true; // nothing was refused
};

[[nodiscard]] inline bool is_octal(char c) {
    return c >= '0' && c <= '7';
}

// "Cmmmm size name" -> size and name
[[nodiscard]] inline std::optional<std::pair<std::uint64_t, std::string_view>>
read_file_record(std::string_view line) {
    if (line.size() < 8 || line[5] != ' ' || !std::all_of(line.begin() + 1, line.begin() + 5, is_octal))
        return std::nullopt;
    std::uint64_t size = 0;
    std::size_t i = 6;
    for (; i < line.size() && line[i] >= '0' && line[i] <= '9'; ++i) {
        const auto digit = static_cast<std::uint64_t>(line[i] - '0');
        if (size > (UINT64_MAX - digit) / 10)
            return std::nullopt;
        size = size * 10 + digit;
    }
    if (i == 6 || i == line.size() || line[i] != ' ')
        return std::nullopt;
    return std::pair(size, line.substr(i + 1));
}

// `target`: the file that the command names, or nothing.
[[nodiscard]] inline Conversation read_conversation(std::string_view in, std::string_view target) {
    Conversation out{.answers = "+", .delivered = {}};
    const auto no = [&out] {
        out.clean = false;
        return '-';
    };
    while (!in.empty()) {
        const std::size_t end = in.find('\n');
        if (std::min(end, in.size()) > drop::scp::k_max_record) {
            out.answers += no();
            return out;
        }
        if (end == in.npos) {
            no(); // half a record: nobody is there to hear an answer
            return out;
        }
        const std::string_view line = in.substr(0, end);
        in.remove_prefix(end + 1);
        const char type = line.empty() ? '?' : line.front();
        if (type == 'T') {
            out.answers += '+';
        } else if (type == 'D') {
            out.answers += no();
        } else if (type == '\1') {
            no();
        } else if (type == '\2') {
            no();
            return out;
        } else if (const auto record = type == 'C' ? read_file_record(line) : std::nullopt; !record) {
            out.answers += no();
            return out;
        } else {
            const std::string_view name = target.empty() ? record->second : target;
            if (judge(name, record->first) != Reason::none) {
                out.answers += no();
                continue;
            }
            out.answers += '+';
            const std::string_view data = in.substr(0, record->first);
            in.remove_prefix(data.size());
            const bool whole = data.size() == record->first;
            // The status byte, or the end of the input in its place.
            const char status = in.empty() ? '\0' : in.front();
            in.remove_prefix(in.empty() ? 0 : 1);
            if (whole && status == '\0') {
                const bool fits = name.front() != k_no_write || data.size() <= k_refused_from;
                const bool taken = fits && name.front() != k_no_commit;
                if (taken)
                    out.delivered.push_back({std::string(name), std::string(data)});
                out.answers += taken ? '+' : no();
                continue;
            }
            out.answers += no();
            if (!whole || (status != '\1' && status != '\2'))
                return out;
            const std::size_t text = in.find('\n');
            if (std::min(text, in.size()) > drop::scp::k_max_record || text == in.npos)
                return out;
            in.remove_prefix(text + 1);
        }
    }
    return out;
}

// The answers on the wire as '+' and '-'. Every error is one line that can be printed.
[[nodiscard]] inline std::string read_answers(std::string_view wire) {
    std::string out;
    while (!wire.empty()) {
        if (wire.front() == '\0') {
            out += '+';
            wire.remove_prefix(1);
            continue;
        }
        REQUIRE(wire.front() == '\1');
        const std::size_t end = wire.find('\n');
        REQUIRE(end != wire.npos);
        for (const char c : wire.substr(1, end - 1))
            REQUIRE(c >= 0x20 && c < 0x7f);
        REQUIRE(end < 2048);
        out += '-';
        wire.remove_prefix(end + 1);
    }
    return out;
}

// First byte: what the target is; whether the session is interrupted. Then the client's bytes.
inline void check_scp(std::string_view input) {
    Decisions in(input);
    static constexpr std::string_view k_targets[] = {
        "/var/spool/data_in", "",         "~",      "/var/spool/data_in/T_1.data",
        "W_2.data",           "x y.data", "/etc/x", "/var/spool/data_in/a/b_1.data"};
    const std::uint8_t how = in.byte();
    spool::ClientRequest request;
    request.kind = spool::ClientRequest::Kind::scp_sink;
    request.target = k_targets[how % 8];
    request.recursive = (how & 0x20) != 0;
    request.target_is_directory = (how & 0x40) != 0;
    const bool interrupted = (how & 0x80) != 0;
    const std::string_view bytes = in.rest();
    const spool::VirtualTree tree("/var/spool/data_in");

    const auto play_in = [&](std::size_t chunk) {
        const Peak peak;
        ModelDropbox dropbox;
        drop::scp::Sink sink(dropbox, tree, request);
        Played played = play(sink, dropbox, bytes, chunk, interrupted);
        REQUIRE(peak.bytes() <= 64 * 1024 + 16 * bytes.size());
        return played;
    };
    const Played whole = play_in(0);
    for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}})
        REQUIRE_MSG(play_in(chunk) == whole, "chunks of " + std::to_string(chunk) + " make a difference");

    const std::string answers = read_answers(whole.answers);
    const bool one_file = how % 8 >= 3 && how % 8 <= 5;
    if (how % 8 >= 6 || (one_file && (request.recursive || request.target_is_directory))) {
        REQUIRE(answers == "-" && whole.status == 1 && whole.delivered.empty());
        return;
    }
    const std::string target = one_file ? tree.locate(request.target).name : std::string();
    if (interrupted) // the conversation has no end: only what cannot depend on it is compared
        return;
    const Conversation expected = read_conversation(bytes, target);
    REQUIRE_MSG(answers == expected.answers, answers + " for " + expected.answers);
    REQUIRE(whole.delivered == expected.delivered);
    REQUIRE((whole.status == 0) == expected.clean);
}

} // namespace gate::fuzz
