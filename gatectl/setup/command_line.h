// `pandora-gate setup` on the command line.
#pragma once

#include "gatectl/registry.h"

namespace gate::ctl {

void register_setup(const Registry& registry);

} // namespace gate::ctl
