// What the client asks for, from the text of its command. sshd hands over the text as the client wrote it,
// for SFTP the text of the server's own `Subsystem sftp` line.
#pragma once

#include "lib/spool/reason.h"

#include <optional>
#include <string>
#include <string_view>

namespace gate::spool {

struct ClientRequest {
    enum class Kind {
        interactive, // no command
        exit,        // the command `exit`: what ssh-copy-id and others probe with
        scp_sink,    // scp -t
        sftp,
        refused,
    };
    Kind kind = Kind::refused;
    Reason reason = spool::Reason::none; // of refused
    bool scp_protocol = false;           // of refused: the client is scp and expects its way of saying no
    // of scp_sink
    std::string target;
    bool recursive = false;
    bool target_is_directory = false; // -d: the target must be one
};

[[nodiscard]] ClientRequest parse_request(const std::optional<std::string>& command);

} // namespace gate::spool
