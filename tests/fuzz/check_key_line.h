// Lines of authorized_keys: what is taken comes out the same when it is written as the gate writes it, in UTC
// and canonical; what is refused is told in one printable line, which shows nothing of a private key.
#pragma once

#include "gatectl/keys/key_line.h"
#include "gatectl/keys/wire.h"
#include "lib/keyring/record.h"
#include "tests/fuzz/check_network.h"

#include <ctime>

namespace gate::fuzz {

[[nodiscard]] inline std::string write_line(const ctl::KeyLine& line) {
    std::string out = line.restricted ? "restrict" : "no-pty";
    for (std::size_t i = 0; i < line.from.size(); ++i)
        out += (i == 0 ? ",from=\"" : ",") + line.from[i];
    if (!line.from.empty())
        out += '"';
    if (line.expires_at != 0) {
        const std::time_t at = line.expires_at;
        std::tm tm{};
        ::gmtime_r(&at, &tm);
        char text[64];
        std::strftime(text, sizeof text, "%Y%m%d%H%M%SZ", &tm);
        out += ",expiry-time=\"" + std::string(text) + '"';
    }
    return out + ' ' + line.key.type + ' ' + base64_encode(as_bytes(line.key.blob)) + ' ' + line.key.comment;
}

inline void check_key_line(std::string_view input) {
    try {
        const ctl::KeyLine line = ctl::parse_key_line(input);
        REQUIRE(!ctl::is_blank_or_comment(input));
        REQUIRE(line.key.blob.size() <= keyring::k_max_blob && ctl::is_key_type(line.key.type));
        REQUIRE(line.from.size() <= keyring::k_max_from);
        for (const std::string& network : line.from)
            require_sshd_takes(network);
        for (const std::string& option : line.ignored)
            REQUIRE(option.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == option.npos);
        const std::string written = write_line(line);
        if (written.size() > ctl::k_max_line)
            return; // a long comment behind a key without options
        const ctl::KeyLine again = ctl::parse_key_line(written);
        REQUIRE(again.key.blob == line.key.blob && again.key.comment == line.key.comment);
        REQUIRE(again.key.fingerprint == line.key.fingerprint);
        REQUIRE(again.from == line.from && again.expires_at == line.expires_at);
        REQUIRE(again.restricted == line.restricted);
    } catch (const ctl::Problem& problem) {
        require_said(problem, ctl::Status::bad_data);
    }
}

} // namespace gate::fuzz
