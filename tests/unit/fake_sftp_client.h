// The client's side of SFTP for tests: builds requests, reads answers.
#pragma once

#include "forcecmd/front/sftp/server.h"
#include "tests/unit/fake_dropbox.h"

#include <optional>
#include <string>
#include <vector>

namespace gate::test {

using drop::sftp::Type;

inline std::string be32(std::uint32_t v) {
    std::string out;
    for (int shift = 24; shift >= 0; shift -= 8)
        out += static_cast<char>(static_cast<unsigned char>((v >> shift) & 0xff));
    return out;
}
inline std::string be64(std::uint64_t v) {
    return be32(static_cast<std::uint32_t>(v >> 32)) + be32(static_cast<std::uint32_t>(v));
}
inline std::string str(std::string_view s) {
    return be32(static_cast<std::uint32_t>(s.size())) + std::string(s);
}

inline const std::string k_no_attrs = be32(0);
inline std::string size_attrs(std::uint64_t size) {
    return be32(1) + be64(size);
}

// A packet around whatever lies in it.
inline std::string packet(Type type, std::string_view body) {
    return be32(static_cast<std::uint32_t>(body.size() + 1)) + static_cast<char>(type) + std::string(body);
}
inline std::string request(Type type, std::uint32_t id, std::string_view body) {
    return packet(type, be32(id) + std::string(body));
}
inline const std::string k_init = packet(Type::init, be32(3));

// The n-th file or directory that is open: how this server numbers its handles.
inline std::string handle(std::uint32_t n) {
    return str(be32(n));
}

inline std::string open(std::uint32_t id, std::string_view path, std::uint32_t flags = 0x0a) {
    return request(Type::open, id, str(path) + be32(flags) + k_no_attrs);
}
inline std::string write(std::uint32_t id, std::uint32_t h, std::uint64_t offset, std::string_view bytes) {
    return request(Type::write, id, handle(h) + be64(offset) + str(bytes));
}
inline std::string fsetstat(std::uint32_t id, std::uint32_t h, std::string_view attrs) {
    return request(Type::fsetstat, id, handle(h) + std::string(attrs));
}
inline std::string close(std::uint32_t id, std::uint32_t h) {
    return request(Type::close, id, handle(h));
}
inline std::string by_path(Type type, std::uint32_t id, std::string_view path) {
    return request(type, id, str(path));
}
inline std::string extension(std::uint32_t id, std::string_view name, std::string_view body = {}) {
    return request(Type::extended, id, str(name) + std::string(body));
}

// Answers, one a line: "ID ok", "ID CODE TEXT", "ID handle", "ID name PATH", "ID file SIZE",
// "ID directory", "ID extended BYTES", "version N NAMES".
inline std::vector<std::string> read_answers(std::string_view bytes) {
    constexpr const char* k_codes[] = {"ok",          "eof", "no_such_file", "permission_denied", "failure",
                                       "bad_message", "?6",  "?7",           "op_unsupported"};
    std::vector<std::string> out;
    while (!bytes.empty()) {
        CHECK(bytes.size() >= 5);
        drop::sftp::PacketReader frame(bytes);
        const std::size_t length = frame.u32().value_or(0);
        CHECK(length >= 1 && length <= bytes.size() - 4);
        drop::sftp::PacketReader in(bytes.substr(4, length));
        bytes.remove_prefix(4 + length);
        const auto type = static_cast<Type>(in.u8().value_or(0));
        const std::uint32_t id = in.u32().value();
        std::string line = std::to_string(id) + " ";
        if (type == Type::version) {
            line = "version " + line;
            while (const auto text = in.string())
                line += std::string(*text) + " ";
        } else if (type == Type::status) {
            const std::uint32_t code = in.u32().value();
            CHECK(code < std::size(k_codes));
            const auto text = in.string();
            CHECK(text && in.string()); // the language tag too
            line += k_codes[code] + (code > 1 ? " " + std::string(*text) : "");
        } else if (type == Type::handle) {
            line += "handle";
            CHECK(in.string().has_value());
        } else if (type == Type::name) {
            CHECK_EQ(in.u32().value_or(0), 1U);
            line += "name " + std::string(in.string().value());
            CHECK(in.string() && in.u32());
        } else if (type == Type::attrs) {
            CHECK_EQ(in.u32().value_or(0), 5U); // size and permissions
            const std::uint64_t size = in.u64().value();
            const std::uint32_t mode = in.u32().value();
            line += (mode & S_IFMT) == S_IFDIR ? "directory" : "file " + std::to_string(size);
        } else if (type == Type::extended_reply) {
            line += "extended";
            while (const auto number = in.u64())
                line += " " + std::to_string(*number);
        } else {
            raise(__FILE__, __LINE__, "an answer of an unknown type");
        }
        CHECK_MSG(!in.u8(), "bytes behind an answer: " + line);
        out.push_back(line);
    }
    return out;
}

struct Session {
    std::string answers; // a line each
    std::vector<std::string> lines;
    std::string calls;
    std::vector<std::pair<std::string, std::string>> delivered;
    bool finished;
    int status;
};

// INIT and these requests, in every chunking; the answer to INIT is left out.
inline Session sftp_session(std::string_view requests, const SetUp& set_up = {}) {
    static const spool::VirtualTree tree("/var/spool/pandora/data_in");
    const Outcome o = play_any_way(
        [&](drop::Dropbox& dropbox) { return std::make_unique<drop::sftp::Server>(dropbox, tree); }, set_up,
        k_init + std::string(requests));
    Session out{{}, read_answers(o.answers), o.calls, o.delivered, o.finished, o.status};
    CHECK(!out.lines.empty() && out.lines.front().starts_with("version 3 "));
    out.lines.erase(out.lines.begin());
    for (const std::string& line : out.lines)
        out.answers += line + '\n';
    return out;
}

} // namespace gate::test
