// What a login asks for that may hand over a key and nothing else, from the text of its command.
#pragma once

#include <optional>
#include <string>

namespace gate::drop::enrol {

struct Asked {
    enum class Kind {
        greeting, // no command
        install,  // what ssh-copy-id runs, in any of its versions: the key comes on stdin
        sftp,     // ssh-copy-id -s
        refused,
    };
    Kind kind = Kind::refused;
    bool scp_protocol = false; // of refused: the client is scp and expects its way of saying no
};

// No command is run, so any that names authorized_keys is taken for `add what comes on stdin to that file`;
// `enrol` says the same.
[[nodiscard]] Asked parse_asked(const std::optional<std::string>& command);

} // namespace gate::drop::enrol
