#include "gatectl/explain/authkeys.h"

#include "gatectl/account.h"
#include "gatectl/explain/commands.h"
#include "gatectl/keys/key_line.h"
#include "gatectl/keys/when.h"
#include "gatectl/probe/child.h"
#include "gatectl/problem.h"
#include "gatectl/store/key.h"
#include "lib/base/network.h"
#include "lib/base/text.h"

#include <algorithm>
#include <unistd.h>

namespace gate::ctl {

namespace {

constexpr int k_patience_ms = 10'000; // it ends by itself after 2 s

// The value of `name="..."` in the options of a line.
[[nodiscard]] std::string_view option(std::string_view options, std::string_view name) {
    const std::string begin = std::string(name) + "=\"";
    const std::size_t at = options.find(begin);
    if (at == std::string_view::npos)
        return {};
    options.remove_prefix(at + begin.size());
    return options.substr(0, options.find('"'));
}

} // namespace

const AuthkeysStatus* describe_authkeys(int status) {
    const auto found = std::ranges::find(k_authkeys_statuses, status, &AuthkeysStatus::status);
    return found == k_authkeys_statuses.end() ? nullptr : &*found;
}

Served ask_authkeys(const Context& context, const std::string& program, const std::string& user,
                    const std::string& fingerprint) {
    ChildRequest request{.argv = {program, "--keyring", context.keyring, "--owner",
                                  std::to_string(context.owner), "--report", "no", user, fingerprint},
                         .environment = {"PATH=/usr/bin:/bin"}};
    if (::geteuid() == 0) {
        const auto account = find_account(k_command_user);
        if (!account)
            stop(Status::unavailable, "there is no user {}, as whom sshd runs authkeys: run systemd-sysusers",
                 k_command_user);
        request.as = {account->uid, account->gid};
    }
    const Ran ran = run_program(request, k_patience_ms);
    if (!ran.in_time || ran.status == 127)
        stop(Status::unavailable, "{} {}: is pandora-gate installed?", program,
             ran.in_time ? "cannot be run" : "does not end");
    Served served{ran.status, ran.out};
    while (served.line.ends_with('\n'))
        served.line.pop_back();
    return served;
}

std::optional<LineOptions> read_line_options(std::string_view line) {
    if (!line.starts_with("restrict"))
        return std::nullopt;
    const std::string_view options = line.substr(0, line.find(' '));
    LineOptions out;
    out.from = split(option(options, "from"), ',');
    if (const std::string_view end = option(options, "expiry-time"); !end.empty())
        out.expires = parse_expiry_time(end);
    return out;
}

bool holds_address(const std::vector<std::string>& from, std::string_view address) {
    const auto client = parse_address(address);
    if (!client)
        return false;
    const Address peer = client->is_mapped() ? unmapped(*client) : *client;
    return std::ranges::any_of(from, [&](const std::string& network) {
        const std::size_t slash = network.find('/');
        const auto base = parse_address(std::string_view(network).substr(0, slash));
        if (!base || base->family != peer.family)
            return false;
        const auto length =
            slash == std::string::npos
                ? std::optional(base->bits())
                : parse_prefix_length(std::string_view(network).substr(slash + 1), base->bits());
        return length && network_of(peer, *length) == network_of(*base, *length);
    });
}

} // namespace gate::ctl
