// The words of the module's line in /etc/pam.d. The line is the administrator's: trusted, but mistyped words
// happen, and a rule that is silently not there is worse than a login that is refused. So every word must be
// known, complete and said once.
#pragma once

#include "pam_pandora/peer.h"

#include <cstddef>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gate::pam {

enum class Scope {
    all,     // the rules hold for every user of the service
    members, // users that user= and group= do not mean are none of this module's business
};

// In which of the stacks the line stands.
enum class Type { auth, account, session };

struct Options {
    std::vector<std::string> users;
    std::string group; // empty: no such rule
    std::vector<std::string> shells;
    std::string deny;                   // a file; empty: no such rule
    bool missing_deny_is_empty = false; // onerr=succeed: a deny file that does not exist lists nobody
    bool onerr_given = false;
    std::vector<std::string> services; // none: no such rule
    std::vector<Network> networks;     // none: no such rule
    bool require_key = false;
    bool enrol = false; // auth: a code lets in; session: so does a login that the auth line let in
    Scope scope = Scope::all;
    bool scope_given = false;
    std::string keyring; // never empty once parsed
    std::string run;     // never empty once parsed: where tickets and counts of guesses are
    bool quiet = false;
    bool debug = false;
};

inline constexpr const char* k_default_run = "/run/pandora-gate"; // tmpfiles.d/pandora-gate.conf makes it

struct BadOption {
    std::string_view word; // of the line; points into it
    const char* why;
};

[[nodiscard]] std::expected<Options, BadOption> parse_options(Type type, std::span<const char* const> words);

inline constexpr std::size_t k_max_name = 255; // LOGIN_NAME_MAX without its NUL

// A name that may be looked up: 1 to 255 bytes, none of them a control character, ':' or '/', and no '-' or
// '.' in front. Wider than what useradd takes, because directory services serve "DOMAIN\user" and
// "user@domain".
[[nodiscard]] bool valid_name(std::string_view name);

} // namespace gate::pam
