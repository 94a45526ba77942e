// What a change touched, for people: one line a field.
#pragma once

#include "gatectl/store/key.h"

#include <string>
#include <string_view>

namespace gate::ctl {

// "  expires: never -> 2027-01-31T00:00:00Z", each behind `indent` and with its line's end; of an addition
// (nothing before) what it has, as "  from: 10.0.0.0/8". Printable. Texts that are not what difference()
// makes give nothing.
[[nodiscard]] std::string change_lines(const Difference& difference, std::string_view indent);

} // namespace gate::ctl
