// What setup has done, for the audit.
#pragma once

#include "gatectl/context.h"
#include "gatectl/setup/report.h"
#include "gatectl/setup/request.h"

namespace gate::ctl::setup {

// Nothing if nothing was changed.
void tell_of(Context& context, const Report& report, const Request& request);

} // namespace gate::ctl::setup
