// Who may pass: the rules of one line, applied to one user. Knows nothing of PAM's phases.
#pragma once

#include "pam_pandora/options.h"

#include <string>
#include <string_view>

namespace gate::pam {

enum class Outcome {
    allowed,
    outside, // scope=members, and neither user= nor group= means this user
    denied,  // a rule says no
    unknown, // there is no such user, or no such user can exist
    error,   // it cannot be told: a refusal, never "outside"
};

struct Verdict {
    Outcome outcome = Outcome::error;
    const char* rule = "";   // which word of the line, or what else, decided
    std::string reason = {}; // for the log; holds names as they came, so: escape
    const char* remedy = "";
    std::string key = {}; // id and fingerprint of the login's key, where the rule is about one that is known
    std::string fingerprint = {};
};

// Who wants to log in; empty: the service does not say.
struct Login {
    std::string user;
    std::string_view service;
    std::string_view rhost;
};

// Every option that is given is a rule and all must hold; the scope says for whom. All but require_key, see
// key_rule.h.
[[nodiscard]] Verdict decide(const Options& options, const Login& login);

} // namespace gate::pam
