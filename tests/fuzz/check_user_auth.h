// SSH_USER_AUTH: accepted is exactly one key, and it is the one that was written there.
#pragma once

#include "forcecmd/user_auth.h"
#include "tests/fuzz/require.h"

#include <sstream>

namespace gate::fuzz {

inline void check_user_auth(std::string_view input) {
    int keys = 0;
    std::string key_line;
    std::istringstream lines{std::string(input)};
    for (std::string line; std::getline(lines, line);) {
        if (line.compare(0, 10, "publickey ") != 0)
            continue;
        ++keys;
        key_line = line;
    }
    const auto got = drop::parse_user_auth(input);
    if (got) {
        REQUIRE(keys == 1);
        REQUIRE(!got->type.empty() && got->type.find_first_of(" \n") == got->type.npos);
        REQUIRE(!got->blob.empty());
        const std::string same = "publickey " + got->type + " " + base64_encode(as_bytes(got->blob));
        REQUIRE(key_line == same || key_line.starts_with(same + ' '));
    } else {
        REQUIRE(got.error().code == Errc::bad_input);
    }
    if (drop::is_password_login(input))
        REQUIRE(keys == 0 && !got && input.find_first_not_of('\n') != input.npos);
    // Whatever the bytes are: as a key, in a file of sshd's form, they come back.
    if (input.empty() || keys != 0)
        return;
    const std::string line = "publickey ssh-x " + base64_encode(as_bytes(input)) + "\n";
    const auto back = drop::parse_user_auth("password\n" + line + std::string(input));
    REQUIRE(back && back->type == "ssh-x" && back->blob == input);
    REQUIRE(!drop::parse_user_auth(line + line));
}

} // namespace gate::fuzz
