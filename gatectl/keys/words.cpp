#include "gatectl/keys/words.h"

#include "lib/base/text.h"
#include "lib/keyring/ftp_sender.h"

#include <fmt/format.h>

namespace gate::ctl {

const char* unbound_words(const keyring::Policy& policy) {
    switch (policy.binding_unbound_keys) {
    case keyring::Unbound::learn:
        return "(learning)";
    case keyring::Unbound::allow:
        return "(any)";
    case keyring::Unbound::refuse:
        break;
    }
    return "(none: it may not send)";
}

std::string agents_cell(const StoredKey& key, const char* unbound) {
    if (key.agents.empty())
        return key.revoked() ? "-" : unbound;
    std::string out = escape_visible(key.agents.front());
    if (key.agents.size() > 1)
        out += fmt::format(" (+{})", key.agents.size() - 1);
    return out;
}

std::string_view type_word(std::string_view type) {
    if (type == "ssh-ed25519")
        return "ed25519";
    if (type == "ssh-rsa")
        return "rsa";
    if (type.starts_with("ecdsa-"))
        return "ecdsa";
    if (type == keyring::k_ftp_type)
        return type;
    return type.starts_with("sk-ssh-ed25519") ? "sk-ed25519" : "sk-ecdsa";
}

} // namespace gate::ctl
