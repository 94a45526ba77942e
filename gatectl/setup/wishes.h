// What an earlier setup was told to do holds for a later one that says nothing about it.
#pragma once

#include "gatectl/setup/manifest.h"
#include "gatectl/setup/request.h"

#include <string>

namespace gate::ctl::setup {

// Fills in `request` what it does not say. Returns a remark that names what was kept, and how to change it;
// empty: nothing was.
[[nodiscard]] std::string keep_wishes(Request& request, const Manifest& manifest);

} // namespace gate::ctl::setup
