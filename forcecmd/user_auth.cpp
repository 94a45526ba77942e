#include "forcecmd/user_auth.h"

#include "lib/base/text.h"

#include <optional>

namespace gate::drop {

namespace {

constexpr std::string_view k_publickey = "publickey ";

[[nodiscard]] Result<AuthKey> parse_key(std::string_view rest) {
    const std::size_t space = rest.find(' ');
    if (space == 0 || space == std::string_view::npos)
        return fail(Errc::bad_input, "SSH_USER_AUTH holds a malformed key");
    std::string_view text = rest.substr(space + 1);
    text = text.substr(0, text.find(' ')); // whatever later versions append
    auto blob = base64_decode(text);
    if (!blob || blob->empty())
        return fail(Errc::bad_input, "SSH_USER_AUTH holds a malformed key");
    return AuthKey{std::string(rest.substr(0, space)), std::move(*blob)};
}

[[nodiscard]] std::string_view take_line(std::string_view& content) {
    const std::size_t end = content.find('\n');
    const std::string_view line = content.substr(0, end);
    content.remove_prefix(end == std::string_view::npos ? content.size() : end + 1);
    return line;
}

} // namespace

Result<AuthKey> parse_user_auth(std::string_view content) {
    std::optional<AuthKey> found;
    while (!content.empty()) {
        const std::string_view line = take_line(content);
        if (!line.starts_with(k_publickey))
            continue;
        if (found)
            return fail(Errc::bad_input, "the login used more than one key");
        GATE_TRY(found, parse_key(line.substr(k_publickey.size())));
    }
    if (!found)
        return fail(Errc::bad_input, "the login used no key");
    return std::move(*found);
}

bool is_password_login(std::string_view content) {
    // What sshd appends to the second's name: the way it asked, as in keyboard-interactive/pam.
    constexpr std::string_view k_interactive = "keyboard-interactive";
    bool found = false;
    while (!content.empty()) {
        const std::string_view line = take_line(content);
        if (line.empty())
            continue;
        if (line != "password" && line != k_interactive &&
            !(line.starts_with(k_interactive) && line[k_interactive.size()] == '/'))
            return false;
        found = true;
    }
    return found;
}

} // namespace gate::drop
