#include "lib/enrol/ticket.h"

#include "lib/enrol/private_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace gate::enrol {

namespace {

// "pgT1", the kind, the lengths of the two texts, the texts, and the checksum of all that.
constexpr std::string_view k_magic = "pgT1";
constexpr std::size_t k_head = k_magic.size() + 3;
constexpr std::size_t k_sum = sizeof(std::uint64_t);
constexpr std::size_t k_max_text = 255;    // its length is one byte; an address or a fingerprint has 50
constexpr std::size_t k_max_session = 128; // a session id has 36 + 2 x 21
constexpr std::size_t k_max_ticket = k_head + 2 * k_max_text + k_sum;

// Digits, letters and dashes: nothing that leads out of the directory, and no name of replace_private()'s.
[[nodiscard]] bool is_session(std::string_view session) {
    return !session.empty() && session.size() <= k_max_session &&
           std::all_of(session.begin(), session.end(),
                       [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-'; });
}

[[nodiscard]] bool is_text(std::string_view text) {
    return text.size() <= k_max_text &&
           std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

[[nodiscard]] bool is_kind(std::uint8_t kind) {
    return kind >= static_cast<std::uint8_t>(Ticket::Kind::code) &&
           kind <= static_cast<std::uint8_t>(Ticket::Kind::key);
}

[[nodiscard]] std::uint8_t byte_at(std::string_view bytes, std::size_t at) {
    return static_cast<std::uint8_t>(bytes[at]);
}

[[nodiscard]] Result<Ticket> decode(std::string_view bytes) {
    const auto damaged = [] { return fail(Errc::damaged, "a ticket is damaged"); };
    if (bytes.size() < k_head + k_sum || !bytes.starts_with(k_magic))
        return damaged();
    const std::string_view body = bytes.substr(0, bytes.size() - k_sum);
    const std::uint64_t sum = checksum_of(body);
    if (std::memcmp(&sum, bytes.data() + body.size(), k_sum) != 0)
        return damaged();
    const std::size_t subject = byte_at(body, k_magic.size() + 1);
    const std::size_t peer = byte_at(body, k_magic.size() + 2);
    if (!is_kind(byte_at(body, k_magic.size())) || body.size() - k_head != subject + peer)
        return damaged();
    Ticket ticket{static_cast<Ticket::Kind>(byte_at(body, k_magic.size())),
                  std::string(body.substr(k_head, subject)), std::string(body.substr(k_head + subject))};
    if (!is_text(ticket.subject) || !is_text(ticket.peer))
        return damaged();
    return ticket;
}

[[nodiscard]] std::string encode(const Ticket& ticket) {
    std::string out{k_magic};
    out += static_cast<char>(ticket.kind);
    out += static_cast<char>(ticket.subject.size());
    out += static_cast<char>(ticket.peer.size());
    out += ticket.subject;
    out += ticket.peer;
    const std::uint64_t sum = checksum_of(out);
    return out.append(reinterpret_cast<const char*>(&sum), k_sum);
}

// The process that writes tickets may be root under another number in a container, never somebody else.
[[nodiscard]] Result<Fd> open_ours(const std::string& directory) {
    return open_private_directory(directory, ::geteuid());
}

} // namespace

Result<void> write_ticket(const std::string& directory, std::string_view session, const Ticket& ticket) {
    if (!is_session(session) || !is_kind(static_cast<std::uint8_t>(ticket.kind)) ||
        !is_text(ticket.subject) || !is_text(ticket.peer))
        return fail(Errc::bad_input, "this cannot stand in a ticket");
    GATE_TRY(const Fd dir, open_ours(directory));
    return replace_private(dir.get(), std::string(session), encode(ticket), false); // /run is gone at a crash
}

Result<Ticket> read_ticket(const std::string& directory, std::string_view session, uid_t owner) {
    if (!is_session(session))
        return fail(Errc::bad_input, "not a session id");
    GATE_TRY(const Fd dir, open_private_directory(directory, owner));
    auto bytes = read_private(dir.get(), std::string(session), owner, k_max_ticket);
    if (!bytes && bytes.error().code == Errc::too_large)
        return fail(Errc::damaged, "a ticket is damaged");
    if (!bytes)
        return std::unexpected(bytes.error());
    return decode(*bytes);
}

Result<void> remove_ticket(const std::string& directory, std::string_view session) {
    if (!is_session(session))
        return fail(Errc::bad_input, "not a session id");
    GATE_TRY(const Fd dir, open_ours(directory));
    if (::unlinkat(dir.get(), std::string(session).c_str(), 0) != 0 && errno != ENOENT)
        return fail_errno("cannot remove a ticket");
    return {};
}

} // namespace gate::enrol
