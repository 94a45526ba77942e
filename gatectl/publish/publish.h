// `pandora-gate publish`: store and gate.toml, validated and compiled into the keyring.
#pragma once

#include "gatectl/context.h"
#include "gatectl/publish/change.h"

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace gate::ctl {

// Returns what belongs on stdout. Throws Problem.
[[nodiscard]] std::string publish_command(Context& context);

// As doc/json.md has it.
[[nodiscard]] nlohmann::ordered_json to_json(const Published& published);

// The audit event of a publish.
void tell_published(Context& context, const Published& published);

} // namespace gate::ctl
