// Carries steps out, one after another; when one fails, or what is done with them afterwards, all are taken
// back in the opposite order.
#pragma once

#include "gatectl/setup/runner.h"
#include "gatectl/setup/step.h"

#include <functional>
#include <string>
#include <vector>

namespace gate::ctl::setup {

// `afterwards` proves that the result works. What is thrown by a step or by it comes out, with the words that
// tell how far taking back went. `settled` runs after that as well.
void carry_out(Place& place, Runner& runner, const std::vector<Step>& steps,
               const std::function<void()>& afterwards, const std::function<void()>& taken_back);

} // namespace gate::ctl::setup
