// What must be so before setup changes anything: each throws Problem (refused), with what to do.
#pragma once

#include "gatectl/setup/manifest.h"
#include "gatectl/setup/report.h"
#include "gatectl/setup/request.h"

#include <vector>

namespace gate::ctl::setup {

// The other form is not made by leaving a word out.
void demand_form(const Manifest& manifest, const Request& request);
// What would break was named by --yes-break.
void demand_consent(const Report& report);
// The account is there, or these steps make it; and it is in the group that the lines of PAM name.
void demand_account(const std::vector<Step>& steps, const Machine& machine);

} // namespace gate::ctl::setup
