// Carries steps out, one after another; when one fails, or what is done before or after them, all are taken
// back in the opposite order.
#pragma once

#include "gatectl/setup/runner.h"
#include "gatectl/setup/step.h"

#include <functional>
#include <string>
#include <vector>

namespace gate::ctl::setup {

// What goes with the steps. Of what fails, `before` and `after` throw; the others return words for it.
struct Around {
    std::function<void()> before{};
    std::function<void()> after{}; // proves that the result works
    std::function<std::string()> before_back{};
    std::function<std::string()> after_back{}; // also if a step could not be taken back
    std::function<void()> all_back{};          // each step was; the last of all
};

// What is thrown by a step, `before` or `after` comes out, with the words that tell how far taking back went.
void carry_out(Place& place, Runner& runner, const std::vector<Step>& steps, const Around& around);

} // namespace gate::ctl::setup
