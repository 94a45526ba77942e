#include "pam_pandora/key_rule.h"

namespace gate::pam {

namespace {

Verdict denied(std::string reason, const char* remedy) {
    return {Outcome::denied, "key", std::move(reason), remedy};
}

Verdict decide_known(const KnownKey& known) {
    if (!known.trouble.empty())
        return {Outcome::error, "key", "the keyring cannot be read: " + known.trouble,
                "pandora-gate publish"};
    if (known.good)
        return {Outcome::allowed};
    if (known.id.empty())
        return denied("the key is not in the keyring", "pandora-gate keys add, then pandora-gate publish");
    return denied(std::string("the key is ") + known.state, "see pandora-gate keys show");
}

} // namespace

Verdict decide_key(const AuthInfo& info, const KnownKey& known) {
    if (info.methods.empty())
        return denied("the service does not say how the user proved who they are",
                      "log in through sshd with an enrolled key");
    if (info.keys == 0)
        return denied("the login was made without a public key, by " + info.methods,
                      "log in with an enrolled key");
    if (info.keys > 1)
        return denied("the login was made with more than one public key", "AuthenticationMethods publickey");
    if (!info.fingerprint)
        return denied("the key that sshd names cannot be read", "log in with an enrolled key");
    Verdict verdict = decide_known(known);
    verdict.key = known.id;
    verdict.fingerprint = keyring::format_fingerprint(*info.fingerprint);
    return verdict;
}

} // namespace gate::pam
