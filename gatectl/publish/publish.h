// `pandora-gate publish`: store and gate.toml, validated and compiled into the keyring; the previous keyring
// again; a keyring for another machine, or from one.
#pragma once

#include "gatectl/context.h"
#include "gatectl/publish/change.h"

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace gate::ctl {

// Each returns what belongs on stdout, and throws Problem.

[[nodiscard]] std::string publish_command(Context& context);
// For what needs a keyring, whatever is in it, and the directories that the first publish makes: nobody can
// log in, or hand over a key, before. Nothing is done where there is one. Before anything else is changed: it
// may fail.
void publish_if_none(Context& context);
// `--to FILE`: the same keyring into a file, for `keyring install` elsewhere. Logins here see nothing of it.
[[nodiscard]] std::string publish_to(Context& context, const std::string& file);
// `--check FILE`: reads a keyring whole and says what is in it.
[[nodiscard]] std::string check_keyring(Context& context, const std::string& file);
// `--rollback`: the keys and the policy of the previous generation, under a new number. What is revoked now
// stays revoked. The store does not change: the next change of it is published on top of it.
[[nodiscard]] std::string roll_back(Context& context);
// `keyring install FILE`: a keyring that was published on another machine. Never one that is older than what
// is in place, unless `allow_older`.
[[nodiscard]] std::string install_keyring(Context& context, const std::string& file, bool allow_older);

// As doc/json.md has it.
[[nodiscard]] nlohmann::ordered_json to_json(const Published& published);
// "new", "changed", "unchanged".
[[nodiscard]] const char* word_of(Published::PolicyChange change);

// The audit event of a publish.
void tell_published(Context& context, const Published& published);

} // namespace gate::ctl
