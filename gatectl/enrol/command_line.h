// `enrol ...`, and the commands of keys that wait for an administrator.
#pragma once

#include "gatectl/registry.h"

namespace gate::ctl {

void register_enrol(const Registry& registry);

} // namespace gate::ctl
