#include "lib/spool/request.h"

#include "lib/spool/words.h"

#include <span>
#include <vector>

namespace gate::spool {

namespace {

[[nodiscard]] std::string_view base_name(std::string_view path) {
    return path.substr(path.rfind('/') + 1); // npos + 1 is 0
}

// The text of a Subsystem line, or of a client that asks for the server program by name. PuTTY's fallback is
// a small shell script that looks for the program in two places and ends in `exec sftp-server`.
[[nodiscard]] bool is_sftp(std::string_view command) {
    if (command.starts_with("test -x ") && command.ends_with("exec sftp-server"))
        return true;
    const std::string_view program = command.substr(0, command.find(' '));
    return program == "internal-sftp" || program.ends_with("/sftp-server");
}

[[nodiscard]] ClientRequest refuse(Reason reason, bool scp) {
    ClientRequest out;
    out.reason = reason;
    out.scp_protocol = scp;
    return out;
}

struct ScpOptions {
    bool recursive = false;
    bool sink = false;
    bool source = false;
    bool directory = false;
};

// One word of options, `-tp`. scp(1) as OpenSSH's client starts it at the other side.
[[nodiscard]] bool take_options(std::string_view word, ScpOptions& options) {
    for (const char c : word.substr(1)) {
        switch (c) {
        case 'r':
            options.recursive = true;
            break;
        case 't':
            options.sink = true;
            break;
        case 'f':
            options.source = true;
            break;
        case 'd':
            options.directory = true;
            break;
        case 'p': // times and modes of the client are ignored anyway
        case 'v':
        case 'q':
            break;
        default:
            return false;
        }
    }
    return true;
}

[[nodiscard]] ClientRequest parse_scp(std::span<const std::string> words) {
    ScpOptions options;
    std::size_t i = 0;
    for (; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (word == "--") {
            ++i;
            break;
        }
        if (word.size() < 2 || word.front() != '-')
            break;
        if (!take_options(word, options))
            return refuse(Reason::command_text, true);
    }
    if (options.source)
        return refuse(Reason::read, true);
    // A client with an empty path (`scp f host:`) writes `scp -t .`, or nothing at all behind -t.
    if (!options.sink || words.size() - i > 1)
        return refuse(Reason::command_text, true);
    ClientRequest out;
    out.kind = ClientRequest::Kind::scp_sink;
    out.target = i < words.size() ? words[i] : std::string{};
    out.recursive = options.recursive;
    out.target_is_directory = options.directory;
    return out;
}

} // namespace

ClientRequest parse_request(const std::optional<std::string>& command) {
    ClientRequest out;
    if (!command || command->empty()) {
        out.kind = ClientRequest::Kind::interactive;
        return out;
    }
    if (*command == "exit") {
        out.kind = ClientRequest::Kind::exit;
        return out;
    }
    if (is_sftp(*command)) {
        out.kind = ClientRequest::Kind::sftp;
        return out;
    }
    const auto words = split_words(*command);
    const bool looks_like_scp =
        command->starts_with("scp ") || (words && !words->empty() && base_name((*words)[0]) == "scp");
    if (!looks_like_scp)
        return refuse(Reason::command, false);
    if (!words)
        return refuse(Reason::command_text, true);
    return parse_scp(std::span(*words).subspan(1));
}

} // namespace gate::spool
